"""Programs that stand behind nginx, started once for all tests of a file."""

from collections.abc import Iterator

import pytest
from redis import Redis

from flexiprice.embedded.servers import ServerUrls
from tests.contracts.nginx import NGINX
from tests.contracts.programs import KEY, Programs, Told, programs_under_a_path
from tests.support import servers
from tests.support.external_tools import require


@pytest.fixture(scope="module")
def urls(server_urls: ServerUrls, template_database: str) -> Iterator[ServerUrls]:
    """A database and a Redis of these tests' own."""
    require(NGINX, install="apt-get install nginx-light")
    redis_url = servers.with_database(server_urls.redis_url, "8")
    servers.flush(redis_url)
    name = servers.unique("nginx")
    with servers.database(server_urls.database_url, name, template=template_database) as database_url:
        yield ServerUrls(database_url, redis_url)
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()


@pytest.fixture(scope="module", params=Told)
def programs(
    request: pytest.FixtureRequest, urls: ServerUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programs]:
    """API and monitor that have a key."""
    folder = tmp_path_factory.mktemp("programs")
    with programs_under_a_path(urls, folder, request.param, key=KEY) as running:
        yield running


@pytest.fixture(scope="module", params=Told)
def keyless_programs(
    request: pytest.FixtureRequest, urls: ServerUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programs]:
    """API and monitor without any key."""
    folder = tmp_path_factory.mktemp("keyless")
    with programs_under_a_path(urls, folder, request.param, key=None) as running:
        yield running

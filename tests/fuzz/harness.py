"""The API as a server, with a worker and a shop, to be fuzzed."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flexiprice.cli.catalog.sample import load_sample
from flexiprice.cli.serve.process_group import running_programs
from flexiprice.db.migrate import upgrade
from flexiprice.embedded.child_process import free_port
from flexiprice.embedded.servers import ServerUrls
from flexiprice.settings import PREFIX, load_settings

KEY = "the-key-that-the-fuzzer-holds"


@dataclass(frozen=True, slots=True)
class FuzzedApi:
    """A running API.

    Attributes:
        address: where it listens.
        log: what it wrote.
    """

    address: str
    log: Path


@contextmanager
def fuzzed_api(urls: ServerUrls, folder: Path) -> Iterator[FuzzedApi]:
    """Runs the API and a worker on empty servers, which are filled with the sample shop."""
    folder.mkdir(exist_ok=True)
    upgrade(urls.database_url)
    settings = load_settings(
        env_files=(), database_url=urls.database_url, redis_url=urls.redis_url, api_key=KEY
    )
    asyncio.run(load_sample(settings))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    # The fuzzer sends wrong keys, which must not lock out later requests.
    environment |= {f"{PREFIX}API_KEY": KEY, f"{PREFIX}FAILED_KEY_LIMIT": "100000"}
    with running_programs(
        settings,
        host="127.0.0.1",
        port=free_port(folder / "port"),
        folder=folder,
        logs=folder,
        environment=environment,
    ) as programs:
        programs.wait_until_ready(servers=())
        yield FuzzedApi(programs.address, folder / "api.log")

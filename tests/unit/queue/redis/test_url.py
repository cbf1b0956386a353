"""URLs of Redis: a refused URL is named without any part of its password."""

import pytest
from redis.asyncio.connection import SSLConnection

from flexiprice.errors import InvalidSettings
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import load_settings

ENCODE = "must be written %23, %2F, %3F, %40 and %25"


def refusal(url: str) -> str:
    with pytest.raises(InvalidSettings) as caught:
        create_redis(load_settings(env_files=(), redis_url=url), client_name="tests")
    return caught.value.message


def options(url: str) -> dict[str, object]:
    client = create_redis(load_settings(env_files=(), redis_url=url), client_name="tests")
    return client.connection_pool.connection_kwargs


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:sec#ret@host/0",
        "redis://user:sec/ret@host/0",
        "redis://user:sec?ret@host/0",
        "redis://user:sec@ret@host/0",
        "redis://user:sec%ret@host/0",
        "redis://:sec#ret@host:6379/0",
        "redis://:12?secret=@host",
        "redis://user:1?secret=@host",
        "redis://user:1/secret@host",
        "redis://user:secret",
        "redis://[secret@host/0",
        "redis://user:secret@host/0#fragment",
        "rediss://user:sec#ret@host:6380/0?ssl_cert_reqs=none",
        "redis+sentinel://user:sec#ret@one:26379,two:26379/prices/0",
        "redis+sentinel://one:26379/prices/0?sentinel_password=sec#ret",
        "unix://user:sec#ret@/run/redis.sock",
        "unix://user:sec/ret@/run/redis.sock",
        "unix:///run/redis.sock?password=sec#ret",
    ],
)
def test_a_password_that_is_not_encoded_is_refused_without_a_part_of_it(url: str) -> None:
    said = refusal(url)
    assert ENCODE in said
    for part in ("sec", "ret", "12", "fragment"):
        assert part not in said


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://user:s%23e%2Fc%3Fr%40e%25t@host:6380/3", {"password": "s#e/c?r@e%t", "db": 3}),
        ("redis://[::1]:6379/0", {"host": "::1"}),
        ("redis://host", {"host": "host"}),
        ("unix://:p%40ss@/run/redis@1.sock?db=2", {"path": "/run/redis@1.sock", "password": "p@ss", "db": 2}),
        ("redis://host/0?socket_timeout=2&max_connections=5", {"socket_timeout": 2.0}),
    ],
)
def test_percent_encoded_parts_of_the_url_reach_redis_decoded(url: str, expected: dict[str, object]) -> None:
    given = options(url)
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://h/0?no_such_option=hunter2", "there is no option no_such_option; it takes"),
        ("redis://h/0?decode_responses=true", "there is no option decode_responses"),
        ("redis://h/0?protocol=3", "there is no option protocol"),
        ("redis+sentinel://h/prices/0?no_such_option=hunter2", "there is no option no_such_option"),
        ("redis://h/0?ssl_cert_reqs=none", "ssl_cert_reqs needs TLS: begin with rediss://"),
        ("rediss://h/0?ssl_cert_reqs=sometimes", "ssl_cert_reqs must be none, optional or required"),
        ("rediss://h/0?ssl_cert_reqs=none&ssl_check_hostname=true", "leave ssl_check_hostname out"),
        ("redis://h/0?socket_timeout=soon", "Invalid value for 'socket_timeout'"),
        ("redis://h/prices", "the database after the host must be a number"),
        ("redis+sentinel://h:26379", "must name the sentinels and the service"),
        ("redis+sentinel://h/prices/first", "the database"),
    ],
)
def test_an_option_that_means_nothing_is_refused_by_its_name(url: str, named: str) -> None:
    said = refusal(url)
    assert named in said
    assert "hunter2" not in said


@pytest.mark.parametrize("requirement", ["none", "CERT_NONE"])
def test_certificates_may_go_unchecked_where_the_url_says_so(requirement: str) -> None:
    given = options(f"rediss://h:6380/0?ssl_cert_reqs={requirement}")
    assert (given["ssl_cert_reqs"], given["ssl_check_hostname"]) == ("none", False)
    client = create_redis(
        load_settings(env_files=(), redis_url=f"rediss://h:6380/0?ssl_cert_reqs={requirement}"),
        client_name="tests",
    )
    connection = client.connection_pool.make_connection()
    assert isinstance(connection, SSLConnection)
    connection.ssl_context.get()


def test_certificates_and_their_hosts_are_checked_where_nothing_is_said() -> None:
    given = options("rediss://h:6380/0")
    assert (given["ssl_cert_reqs"], given["ssl_check_hostname"]) == ("required", True)
    through_sentinel = options("rediss+sentinel://h:26379/prices/0")
    assert through_sentinel["ssl_check_hostname"] is True
    unchecked = options("rediss+sentinel://h:26379/prices/0?ssl_cert_reqs=none")
    assert (unchecked["ssl_cert_reqs"], unchecked["ssl_check_hostname"]) == ("none", False)

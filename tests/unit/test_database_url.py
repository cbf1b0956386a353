"""Database URLs as hosts and ORMs write them: translated, or refused by name without the secret."""

import pytest

from flexiprice.database_url import read_database_url
from flexiprice.errors import InvalidSettings
from flexiprice.settings import load_settings

PLAIN = "postgresql://shop:pass@db.internal:5432/shop"


@pytest.mark.parametrize(
    "url",
    [
        PLAIN,
        "postgres://shop@db/shop",
        "postgresql+asyncpg://db/shop",
        "postgresql:///shop?host=/var/run/postgresql",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/shop",
        "postgresql://shop:p%23a%2Fs%3Fs%40%25@db/shop",
        "postgresql://a:5432,b:5433,[::1]:5434/shop?target_session_attrs=read-write",
        f"{PLAIN}?sslmode=verify-full&channel_binding=prefer&gssencmode=disable&client_encoding=UTF8",
    ],
)
def test_driver_parameters_of_the_url_are_left_to_the_driver(url: str) -> None:
    address = read_database_url(url)
    assert address.url.startswith("postgresql://")
    assert (address.session, address.connect_timeout, address.behind_pooler) == ({}, None, False)
    assert "channel_binding" not in address.url


def test_known_parameters_are_translated() -> None:
    address = read_database_url(
        f"{PLAIN}?schema=public&pgbouncer=true&connect_timeout=4&application_name=till"
        "&options=-c%20geqo%3Doff&sslmode=require&sslrootcert=/ca.pem"
    )
    assert address.session == {"search_path": "public", "options": "-c geqo=off"}
    assert (address.connect_timeout, address.behind_pooler) == (4, True)
    assert address.url == f"{PLAIN}?sslmode=require&sslrootcert=%2Fca.pem"
    assert address.files == {"sslrootcert": "/ca.pem"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("connection_limit=5", "connection_limit: set FLEXIPRICE_DATABASE_POOL_SIZE"),
        ("prepareThreshold=0", "prepareThreshold: set FLEXIPRICE_DATABASE_PREPARED_STATEMENTS"),
        ("statement_timeout=5", "statement_timeout: set FLEXIPRICE_DATABASE_READ_TIMEOUT"),
        ("ssl=true", "ssl: write sslmode=require"),
        ("serverTimezone=UTC", "unknown parameter serverTimezone"),
        ("sslmode=yes", "sslmode: must be one of disable"),
        ("channel_binding=require", "channel_binding: must be one of disable, prefer"),
        ("connect_timeout=soon", "connect_timeout: must be a whole number"),
        ("a=1&b=2", "unknown parameter b"),
    ],
)
def test_unknown_database_url_parameters_are_refused_by_name_at_start(query: str, told: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^FLEXIPRICE_DATABASE_URL: ") as refused:
        load_settings(env_files=(), database_url=f"{PLAIN}?{query}")
    assert told in str(refused.value)


@pytest.mark.parametrize("mark", list("#/?@%"))
@pytest.mark.parametrize("secret", ["sec{}ret", "{}secret", "secret{}", "s{0}ec{0}ret=1"])
def test_a_password_with_such_a_mark_says_how_to_write_it_and_tells_no_part_of_it(
    mark: str, secret: str
) -> None:
    password = secret.format(mark)
    with pytest.raises(InvalidSettings) as refused:
        load_settings(env_files=(), database_url=f"postgresql://shop:{password}@db.internal/shop")
    told = str(refused.value)
    assert "%23, %2F, %3F, %40 and %25" in told
    assert not [part for part in ("sec", "ret", "db.internal", "shop") if part in told], told


def test_database_address_shows_no_secret() -> None:
    assert "pass" not in repr(read_database_url(PLAIN))

"""Types of settings' values, with their parsing and validation."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from flexiprice.database_url import read_database_url
from flexiprice.domain.validation_reasons import TextPattern
from flexiprice.url_credentials import require_encoded_credentials

PREFIX: Final = "FLEXIPRICE_"
"""The beginning of every variable."""

# ISO 4217 currencies whose minor unit is not a hundredth.
_NOT_TWO_DECIMALS: Final = frozenset(
    "BHD BIF CLP CLF DJF GNF IQD ISK JOD JPY KMF KRW KWD LYD OMR "
    "PYG RWF TND UGX UYI UYW VND VUV XAF XOF XPF".split()
)
_DATABASE_PATH: Final = re.compile(r"/?|/[0-9]{1,9}/?", re.ASCII)
_URL_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*", re.ASCII)
_ORIGIN: Final = re.compile(
    r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII
)


def _database_url(url: SecretStr) -> SecretStr:
    read_database_url(url.get_secret_value())
    return SecretStr(f"postgresql://{url.get_secret_value().partition('://')[2]}")


def _redis_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    schemes = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
    if not text.startswith(schemes):
        raise ValueError(
            "must look like redis://[:password@]host:6379/0, rediss://… for TLS, unix://path, or "
            "redis+sentinel://[:password@]host:26379,host2:26379/service/0 for Sentinel"
        )
    require_encoded_credentials(text, has_host=not text.startswith("unix://"))
    try:
        path = urlsplit(text).path
    except ValueError:
        # The exception's message may contain a part of the URL.
        raise ValueError("cannot be read as a URL") from None
    if text.startswith(("redis://", "rediss://")) and not _DATABASE_PATH.fullmatch(path):
        raise ValueError("the database after the host must be a number: redis://host:6379/0")
    return url


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters; `openssl rand -hex 24` makes a good one")
    return key


def _crontab(expression: str) -> str:
    fields = expression.split()
    if len(fields) != 5:
        raise ValueError("must be a crontab line of five fields, such as '0 * * * *'")
    try:
        next(CronSim(" ".join(fields), datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"is not a crontab line: {error}") from error
    except StopIteration:
        raise ValueError("is a crontab line that is never due") from None
    return " ".join(fields)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone such as UTC or Europe/Berlin") from error
    return name


def split(value: object) -> object:
    """Splits a text at commas; returns any other value unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _seconds(value: object) -> object:
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdigit():
        return float(value)
    return value


def _two_decimals(currency: str) -> str:
    if currency in _NOT_TWO_DECIMALS:
        raise ValueError("must be a currency with two decimals: prices are kept to the hundredth")
    return currency


def upper(value: object) -> object:
    """Converts a text to capitals; returns any other value unchanged."""
    return value.upper() if isinstance(value, str) else value


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text} is not an address or network, such as 10.0.0.7 or 10.0.0.0/24") from error
    return text


def _origin(text: str) -> str:
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text} is not an origin, such as https://shop.example or http://localhost:3000")
    return text.lower()


def _url_prefix(text: str) -> str:
    prefix = text.rstrip("/")
    if not _URL_PREFIX.fullmatch(prefix) or any(part in {".", ".."} for part in prefix.split("/")):
        raise ValueError("must be a path of letters, digits, -, _, . and ~, such as /shop or /tools/prices")
    return prefix


ApiKey = Annotated[SecretStr, AfterValidator(_long_enough)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Crontab = Annotated[str, AfterValidator(_crontab)]
TimeZoneName = Annotated[str, AfterValidator(_time_zone)]
Currency = Annotated[
    str,
    BeforeValidator(upper),
    TextPattern("[A-Z]{3}", "must be the three letters of a currency by ISO 4217, such as EUR"),
    AfterValidator(_two_decimals),
]
Duration = Annotated[timedelta, BeforeValidator(_seconds)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(split)]
UrlPrefix = Annotated[str, AfterValidator(_url_prefix)]

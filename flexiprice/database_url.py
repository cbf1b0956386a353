"""Parses `FLEXIPRICE_DATABASE_URL`: translates its parameters for the driver and rejects unknown ones.

URLs are copied from PostgreSQL hosts and from ORMs of other languages, so they bring parameters that the
driver would send to the server as session settings. Error messages quote only the names of parameters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from flexiprice.url_credentials import ENCODING, require_encoded_credentials

_EXAMPLE: Final = "must look like postgresql://user:password@host:5432/database"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}", re.ASCII)

FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
"""Parameters that name a file."""
# Parameters that the driver understands.
_DRIVER_PARAMETERS: Final = frozenset(
    (
        *FILES,
        *("host", "port", "user", "password", "dbname", "database", "service", "krbsrvname", "gsslib"),
        *("sslmode", "sslpassword", "sslnegotiation", "target_session_attrs"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    )
)
# Parameters that become settings of each session.
_SESSION_PARAMETERS: Final = {"options": "options", "search_path": "search_path", "schema": "search_path"}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (*("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),),
    # The driver supports neither, so `require` is rejected.
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "client_encoding": ("utf8", "utf-8", "auto"),
    "pgbouncer": ("true", "false"),
}
# Accepted and ignored. Programs name their sessions themselves: fencing ends a worker's sessions by name.
_IGNORED: Final = frozenset(
    ("application_name", "fallback_application_name", "channel_binding", "gssencmode", "client_encoding")
)
_INSTEAD: Final = {
    **dict.fromkeys(
        ("connection_limit", "pool_size", "max_overflow", "pool_timeout", "pool_max_conns"),
        "set FLEXIPRICE_DATABASE_POOL_SIZE",
    ),
    **dict.fromkeys(
        ("statement_cache_size", "prepared_statement_cache_size", "prepareThreshold", "prepare_threshold"),
        "set FLEXIPRICE_DATABASE_PREPARED_STATEMENTS",
    ),
    **dict.fromkeys(
        ("statement_timeout", "lock_timeout", "command_timeout", "socket_timeout"),
        "set FLEXIPRICE_DATABASE_READ_TIMEOUT and the other FLEXIPRICE_DATABASE_…_TIMEOUT settings",
    ),
    **dict.fromkeys(("ssl", "sslaccept", "tls", "requiressl"), "write sslmode=require"),
}


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A parsed database URL.

    Attributes:
        url: the URL with only the driver's parameters; contains the password.
        session: settings with which each session begins.
        connect_timeout: connection timeout in seconds; None if the URL has none.
        behind_pooler: whether a pooler forbids prepared statements.
        files: paths of required files, by the parameter that names them.
    """

    url: str = field(repr=False)
    session: Mapping[str, str]
    connect_timeout: int | None
    behind_pooler: bool
    files: Mapping[str, str]


def read_database_url(url: str) -> DatabaseAddress:
    """Parses a PostgreSQL URL.

    Raises:
        ValueError: the URL cannot be used. The message contains no part of a secret.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"} or not separator or not rest:
        raise ValueError(_EXAMPLE)
    require_encoded_credentials(url)
    before_query, _, query = rest.partition("?")
    authority, slash, path = before_query.partition("/")
    given = _parameters(query)
    for_driver = {name: value for name, value in given.items() if name in _DRIVER_PARAMETERS}
    driver_query = urlencode(for_driver, quote_via=quote)
    return DatabaseAddress(
        url=f"postgresql://{authority}{slash}{path}{'?' if for_driver else ''}{driver_query}",
        session={
            _SESSION_PARAMETERS[name]: value for name, value in given.items() if name in _SESSION_PARAMETERS
        },
        connect_timeout=_seconds(given.get("connect_timeout", "")),
        behind_pooler=given.get("pgbouncer", "").lower() == "true",
        files={name: given[name] for name in FILES if given.get(name)},
    )


def _parameters(query: str) -> Mapping[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    known = {*_DRIVER_PARAMETERS, *_SESSION_PARAMETERS, *_IGNORED, *_CHOICES, "connect_timeout"}
    refused = [name for name in given if name not in known]
    if refused:
        raise ValueError("; ".join(map(_refusal, refused)))
    for name, choices in _CHOICES.items():
        if name in given and given[name].lower() not in choices:
            raise ValueError(f"{name}: must be one of {', '.join(choices)}")
    return given


def _refusal(name: str) -> str:
    if not _NAME.fullmatch(name):
        return f"the part after the ? contains text that is not a parameter; {ENCODING}"
    instead = _INSTEAD.get(name, "remove it; a setting of the server is written options=-c%20name%3Dvalue")
    return f"unknown parameter {name}: {instead}"


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise ValueError("connect_timeout: must be a whole number of seconds")
    # libpq waits for ever at zero and below; FlexiPrice then uses its default timeout.
    return int(text) if int(text) > 0 else None

"""`FLEXIPRICE_DATABASE_URL`: what its parameters mean to the driver, and why others are refused.

URLs are copied from hosts of PostgreSQL and from ORMs of other languages, so they bring parameters that the
driver would send to the server as settings of the session. Of a URL, a message quotes only the names of
parameters.
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
# The driver reads these itself.
_OF_THE_DRIVER: Final = frozenset(
    (
        *FILES,
        *("host", "port", "user", "password", "dbname", "database", "service", "krbsrvname", "gsslib"),
        *("sslmode", "sslpassword", "sslnegotiation", "target_session_attrs"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    )
)
# The server reads these when a session begins.
_OF_THE_SESSION: Final = {"options": "options", "search_path": "search_path", "schema": "search_path"}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (*("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),),
    # The driver does neither, so nobody may ask for it.
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "client_encoding": ("utf8", "utf-8", "auto"),
    "pgbouncer": ("true", "false"),
}
# Our programs name their sessions themselves: a lost worker's are ended by name.
_WITHOUT_EFFECT: Final = frozenset(
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
        "set FLEXIPRICE_DATABASE_READ_TIMEOUT and its sisters",
    ),
    **dict.fromkeys(("ssl", "sslaccept", "tls", "requiressl"), "write sslmode=require"),
}


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A URL as the driver takes it.

    Attributes:
        url: with nothing in it but what the driver reads itself; it holds the password.
        session: settings with which a session begins.
        connect_timeout: seconds for a connection; None where the URL does not say.
        behind_pooler: no statement may be prepared.
        files: files that must be there, by the parameter that names them.
    """

    url: str = field(repr=False)
    session: Mapping[str, str]
    connect_timeout: int | None
    behind_pooler: bool
    files: Mapping[str, str]


def read_database_url(url: str) -> DatabaseAddress:
    """Reads a URL of PostgreSQL.

    Raises:
        ValueError: it cannot be used; the message is for a person and has no part of a secret.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"} or not separator or not rest:
        raise ValueError(_EXAMPLE)
    require_encoded_credentials(url)
    before_query, _, query = rest.partition("?")
    authority, slash, path = before_query.partition("/")
    given = _parameters(query)
    kept = {name: value for name, value in given.items() if name in _OF_THE_DRIVER}
    return DatabaseAddress(
        url=f"postgresql://{authority}{slash}{path}{'?' if kept else ''}{urlencode(kept, quote_via=quote)}",
        session={_OF_THE_SESSION[name]: value for name, value in given.items() if name in _OF_THE_SESSION},
        connect_timeout=_seconds(given.get("connect_timeout", "")),
        behind_pooler=given.get("pgbouncer", "").lower() == "true",
        files={name: given[name] for name in FILES if given.get(name)},
    )


def _parameters(query: str) -> Mapping[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    known = {*_OF_THE_DRIVER, *_OF_THE_SESSION, *_WITHOUT_EFFECT, *_CHOICES, "connect_timeout"}
    refused = [name for name in given if name not in known]
    if refused:
        raise ValueError("; ".join(map(_refusal, refused)))
    for name, choices in _CHOICES.items():
        if name in given and given[name].lower() not in choices:
            raise ValueError(f"{name}: must be one of {', '.join(choices)}")
    return given


def _refusal(name: str) -> str:
    if not _NAME.fullmatch(name):
        return f"there is something behind the ? that is no parameter; {ENCODING}"
    instead = _INSTEAD.get(
        name, "leave it out; what the server knows as a setting is options=-c%20name%3Dvalue"
    )
    return f"there is no parameter {name}: {instead}"


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise ValueError("connect_timeout: must be a whole number of seconds")
    # To libpq, zero and less mean to wait for ever; that no program of ours does.
    return int(text) if int(text) > 0 else None

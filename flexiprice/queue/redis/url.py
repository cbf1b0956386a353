"""Parses the URL of Redis into options of redis-py. Errors contain no part of the user or password."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio.connection import SSLConnection, parse_url

SENTINEL_PORT: Final = 26379
_OPTIONS: Final[frozenset[str]] = frozenset(
    "db username password client_name socket_timeout socket_connect_timeout socket_keepalive "
    "health_check_interval max_connections".split()
)
_TLS_OPTIONS: Final[frozenset[str]] = frozenset(
    "ssl_cert_reqs ssl_ca_certs ssl_ca_data ssl_certfile ssl_keyfile ssl_check_hostname ssl_ciphers".split()
)
_SENTINEL_OPTIONS: Final = frozenset(("sentinel_username", "sentinel_password"))
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_CERT_REQS: Final = ("none", "optional", "required")


def connection_options(url: str) -> dict[str, Any]:
    """Parses a URL `redis://`, `rediss://` or `unix://`.

    Raises:
        ValueError: the URL is invalid; the message contains no part of the user or password.
    """
    _check_options(url)
    try:
        options: dict[str, Any] = {**parse_url(url)}
    except ValueError as error:
        raise ValueError(_safe_message(error)) from None
    if options.get("connection_class") is SSLConnection:
        options |= _tls(options)
    return options


def sentinel_options(url: str) -> tuple[dict[str, Any], dict[str, Any], list[tuple[str, int]], str]:
    """Parses a URL `redis+sentinel://[user:password@]host:port,host:port/service/database?option=value`.

    User and password are for the master. Those of the sentinels are the options `sentinel_username` and
    `sentinel_password`. Other options are as for `redis://`.

    Returns:
        Options for the master, options for the sentinels, addresses of the sentinels, and the service.

    Raises:
        ValueError: the URL is invalid; the message contains no part of the user or password.
    """
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not hosts:
        raise ValueError("must name the sentinels and the service: redis+sentinel://host:26379/service/0")
    if database.strip("/") and not database.strip("/").isdecimal():
        raise ValueError(
            "the database after the service must be a number: redis+sentinel://host:26379/service/0"
        )
    query = f"?{parts.query}" if parts.query else ""
    # Credentials, database and options are as in a plain URL, so redis-py's parser reads them.
    scheme = parts.scheme.removesuffix("+sentinel")
    plain = f"{scheme}://{user_info}{'@' if user_info else ''}sentinel/{database or 0}{query}"
    _check_options(plain, more=_SENTINEL_OPTIONS)
    try:
        options: dict[str, Any] = {**parse_url(plain)}
    except ValueError as error:
        raise ValueError(_safe_message(error)) from None
    for name in ("host", "connection_class"):
        options.pop(name, None)
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared: dict[str, Any] = {}
    if scheme == "rediss":
        given = {name: value for name, value in options.items() if name.startswith("ssl_")}
        shared = {"ssl": True, **given, **_tls(options)}
    sentinels = {**shared, **{name: value for name, value in own.items() if value is not None}}
    return {**options, **shared}, sentinels, [_address(host) for host in hosts.split(",")], service


def _check_options(url: str, *, more: frozenset[str] = frozenset()) -> None:
    tls: frozenset[str] = _TLS_OPTIONS if url.startswith("rediss:") else frozenset()
    known = _OPTIONS | more | tls
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name in known:
            continue
        if not _NAME.fullmatch(name):
            raise ValueError(f"has an option without a name; it takes {', '.join(sorted(known))}")
        if name in _TLS_OPTIONS:
            raise ValueError(f"{name} needs TLS: begin with rediss://, or rediss+sentinel://")
        raise ValueError(f"there is no option {name}; it takes {', '.join(sorted(known))}")


def _tls(options: dict[str, Any]) -> dict[str, Any]:
    """Enables the checks of certificate and host name, unless the URL disables them."""
    # Celery and kombu use CERT_NONE.
    cert_reqs = str(options.get("ssl_cert_reqs", "required")).lower().removeprefix("cert_")
    if cert_reqs not in _CERT_REQS:
        raise ValueError(f"ssl_cert_reqs must be {', '.join(_CERT_REQS[:-1])} or {_CERT_REQS[-1]}")
    checks_host = options.get("ssl_check_hostname", cert_reqs != "none")
    if checks_host and cert_reqs == "none":
        raise ValueError("ssl_cert_reqs=none checks nothing: leave ssl_check_hostname out")
    return {"ssl_cert_reqs": cert_reqs, "ssl_check_hostname": checks_host}


def _address(host: str) -> tuple[str, int]:
    name, separator, port = host.strip().rpartition(":")
    if not separator or host.endswith("]"):
        return host.strip().strip("[]"), SENTINEL_PORT
    if not port.isdecimal():
        raise ValueError(f"the port of a sentinel is no number, such as {SENTINEL_PORT}")
    return unquote(name).strip("[]"), int(port)


def _safe_message(error: ValueError) -> str:
    """Returns redis-py's message for an invalid option. Its other messages may contain the password."""
    message = str(error)
    if message.startswith("Invalid value for "):
        return message
    return "must look like redis://[user:password@]host:6379/0"

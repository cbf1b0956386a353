"""Supports the options of arq's command: `--check` and `--watch`."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from flexiprice.queue.arq import RedisSettings
from flexiprice.queue.redis.url import connection_options, sentinel_options
from flexiprice.settings import Settings

HEALTH_CHECK_SECONDS: Final = 5
"""Interval at which the worker refreshes the key that `--check` reads; the key expires a second later."""
_TLS: Final = (
    *("ssl_keyfile", "ssl_certfile", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
)


def redis_settings(settings: Settings) -> RedisSettings:
    """Converts the Redis URL to arq's settings; `arq --check` opens its own connection with them.

    Raises:
        InvalidSettings: the URL is missing.
        ValueError: the URL is invalid; the message contains no part of the user or password.
    """
    url = settings.require_redis_url()
    if "+sentinel://" in url:
        options, _, sentinels, service = sentinel_options(url)
        server: dict[str, Any] = {"host": sentinels, "sentinel": True, "sentinel_master": service}
    else:
        options = connection_options(url)
        server = {
            "host": options.get("host") or "localhost",
            "port": options.get("port") or 6379,
            "unix_socket_path": options.get("path"),
        }
    return RedisSettings(
        **server,
        **_tls(options),
        database=options.get("db") or 0,
        username=options.get("username"),
        password=options.get("password"),
        # A probe needs an answer now; its caller repeats it.
        conn_retries=0,
    )


def _tls(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: options[name] for name in _TLS if options.get(name) is not None}
    return {"ssl": True, **given} if given else {}


def is_watching(arguments: Sequence[str]) -> bool:
    """Whether the arguments of arq's command have `--watch`: restart when a file changes."""
    return any(argument == "--watch" or argument.startswith("--watch=") for argument in arguments)


def exit_at_once(code: int) -> NoReturn:
    """Ends this process after cleanup. A thread of arq's file watcher would keep it alive."""
    _flush()
    os._exit(code)


def restart() -> NoReturn:
    """Replaces this process with a new one that runs the same command.

    arq's own restart neither loads the changed code nor keeps our Redis client.
    """
    _flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- this process's own command


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()

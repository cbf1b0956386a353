"""The options of arq's command, `arq workers.settings.WorkerSettings --watch`, as this worker means them."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from flexiprice.queue.arq import RedisSettings
from flexiprice.queue.redis.url import connection_options, sentinel_options
from flexiprice.settings import Settings

HEALTH_CHECK_SECONDS: Final = 5
"""How often the worker refreshes the key that `--check` reads; it expires a second later."""
_TLS: Final = (
    *("ssl_keyfile", "ssl_certfile", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_data", "ssl_check_hostname"),
)


def redis_settings(settings: Settings) -> RedisSettings:
    """The Redis of the settings as arq names it, for `--check`, which makes a client of its own.

    Raises:
        InvalidSettings: the URL is missing.
        ValueError: the URL means nothing; the message tells no part of user or password.
    """
    url = settings.require_redis_url()
    if "+sentinel://" in url:
        options, _, sentinels, service = sentinel_options(url)
        where: dict[str, Any] = {"host": sentinels, "sentinel": True, "sentinel_master": service}
    else:
        options = connection_options(url)
        where = {
            "host": options.get("host") or "localhost",
            "port": options.get("port") or 6379,
            "unix_socket_path": options.get("path"),
        }
    return RedisSettings(
        **where,
        **_tls(options),
        database=options.get("db") or 0,
        username=options.get("username"),
        password=options.get("password"),
        # A monitoring probe wants an answer, and asks again by itself.
        conn_retries=0,
    )


def _tls(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: options[name] for name in _TLS if options.get(name) is not None}
    return {"ssl": True, **given} if given else {}


def is_watching(arguments: Sequence[str]) -> bool:
    """Whether arq's command was asked to restart the worker when a file changes."""
    return any(argument == "--watch" or argument.startswith("--watch=") for argument in arguments)


def exit_at_once(code: int) -> NoReturn:
    """Ends this process, once all is closed: a thread of arq's watch would keep it alive."""
    _flush()
    os._exit(code)


def restart() -> NoReturn:
    """Replaces this process by a new one of the same command.

    arq itself would start its worker again without loading the changed code, and without our Redis client.
    """
    _flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- the command that we are


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()

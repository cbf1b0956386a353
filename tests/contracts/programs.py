"""API and monitor as processes that serve under a path."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from signal import SIGTERM

import httpx

from flexiprice.cli.serve.api import API_SERVER
from flexiprice.cli.serve.monitor import MONITOR_SERVER
from flexiprice.embedded.child_process import ServerProcess, free_port
from flexiprice.embedded.servers import ServerUrls
from flexiprice.settings import PREFIX
from tests.support.processes import wait_for

PATH = "/shop"
KEY = "the-key-behind-the-proxy"


class Told(StrEnum):
    """The way in which the programs learn the path."""

    BY_SETTING = "setting"
    BY_ROOT_PATH = "root-path"


@dataclass(frozen=True, slots=True)
class Programs:
    """Running programs.

    Attributes:
        api: its address.
        monitor: its address.
        environment: of both.
    """

    api: str
    monitor: str
    environment: dict[str, str]


@contextmanager
def programs_under_a_path(
    urls: ServerUrls, folder: Path, told: Told, *, key: str | None
) -> Iterator[Programs]:
    """Runs the API and the monitor on migrated servers; without a key, there is none at all."""
    environment = {
        **os.environ,
        f"{PREFIX}DATABASE_URL": urls.database_url,
        f"{PREFIX}REDIS_URL": urls.redis_url,
        f"{PREFIX}TRUSTED_PROXIES": "127.0.0.1",
        # Tests send wrong keys, which must not lock out later requests.
        f"{PREFIX}FAILED_KEY_LIMIT": "1000",
        **({f"{PREFIX}URL_PREFIX": PATH} if told is Told.BY_SETTING else {}),
        **({f"{PREFIX}API_KEY": key} if key else {}),
    }
    root_path = ("--root-path", PATH) if told is Told.BY_ROOT_PATH else ()
    with ExitStack() as stack:

        def start(name: str, server: tuple[str, ...]) -> tuple[ServerProcess, str]:
            port = free_port(folder / f"{name}.port")
            process = ServerProcess(
                name,
                [sys.executable, "-P", "-m", *server, "--port", str(port), *root_path],
                folder=folder,
                log=folder / f"{name}.log",
                stop_signals=(SIGTERM,),
                environment=environment,
            )
            stack.callback(process.stop)
            return process, f"http://127.0.0.1:{port}"

        api, api_address = start("api", API_SERVER)
        monitor, monitor_address = start("monitor", MONITOR_SERVER)
        assert wait_for(lambda: _serves(api, f"{api_address}/api/v1/health/live")), api.last_lines()
        assert wait_for(lambda: _serves(monitor, f"{monitor_address}/health/live")), monitor.last_lines()
        yield Programs(api_address, monitor_address, environment)


def _serves(process: ServerProcess, url: str) -> bool:
    process.require_alive()
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False

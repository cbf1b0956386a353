"""Runs the API, a worker and the monitor as child processes."""

import signal
import socket
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx

from flexiprice.cli.serve.api import API_SERVER, SUPERVISED_WORKER
from flexiprice.cli.serve.monitor import MONITOR_SERVER
from flexiprice.embedded.child_process import ServerProcess
from flexiprice.errors import Conflict, ServerFailed
from flexiprice.settings import PREFIX, Settings

_STOP_SIGNALS = (signal.SIGTERM,)
_START_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.05
# Longer than the API's longest long poll.
_ANSWER_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class RunningPrograms:
    """The running programs, and a client for the API with its key."""

    api: ServerProcess
    worker: ServerProcess
    monitor: ServerProcess | None
    http: httpx.Client
    address: str
    monitor_address: str

    @property
    def processes(self) -> list[ServerProcess]:
        """The processes of all programs."""
        return [self.api, self.worker, *([self.monitor] if self.monitor else [])]

    def wait_until_ready(self, *, servers: Sequence[ServerProcess]) -> None:
        """Waits until the API reports that it is ready, which includes a live worker.

        Args:
            servers: other processes that must stay alive meanwhile.

        Raises:
            ServerFailed: a process ended, or the API was not ready in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        answer = "the API does not answer"
        while time.monotonic() < deadline:
            for process in (*self.processes, *servers):
                process.require_alive()
            with suppress(httpx.TransportError):
                response = self.http.get("/health/ready")
                answer = response.text
                if response.is_success and self._monitor_answers():
                    return
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise ServerFailed(f"the programs were not ready within {_START_SECONDS:.0f} s: {answer}")

    def _monitor_answers(self) -> bool:
        return self.monitor is None or self.http.get(f"{self.monitor_address}/health/live").is_success


@contextmanager
def running_programs(
    settings: Settings,
    *,
    host: str,
    port: int,
    folder: Path,
    logs: Path,
    environment: Mapping[str, str],
    monitor_port: int | None = None,
) -> Generator[RunningPrograms]:
    """Runs the API, a worker and, where it has a port, the monitor while the context lasts.

    The API stops before the worker.

    Args:
        settings: the servers' URLs and the API's key.
        host: the address that the API listens on.
        port: the port that the API listens on.
        folder: the working folder of the programs, from which they read a `.env`.
        logs: the folder for `api.log`, `worker.log` and `monitor.log`; created if absent.
        environment: their environment variables, to which the servers' URLs and the API's key are added.
        monitor_port: the port that the monitor listens on; None for no monitor.
    """
    logs.mkdir(parents=True, exist_ok=True)
    place = f"http://{_reached_at(host)}"
    variables = {
        **environment,
        f"{PREFIX}DATABASE_URL": settings.require_database_url(),
        f"{PREFIX}REDIS_URL": settings.require_redis_url(),
        **({f"{PREFIX}API_KEY": settings.api_key.get_secret_value()} if settings.api_key else {}),
    }

    def start(name: str, log: str, *command: str) -> ServerProcess:
        process = ServerProcess(
            name,
            [sys.executable, "-P", "-m", *command],
            folder=folder,
            log=logs / log,
            stop_signals=_STOP_SIGNALS,
            environment=variables,
        )
        stack.callback(process.stop)
        return process

    with ExitStack() as stack:
        # Supervised, so that a worker that recycles itself is replaced.
        worker = start("The worker", "worker.log", *SUPERVISED_WORKER)
        api = start("The API", "api.log", *API_SERVER, "--host", host, "--port", str(port))
        monitor = None
        if monitor_port is not None:
            listening = ("--host", host, "--port", str(monitor_port))
            monitor = start("The monitor", "monitor.log", *MONITOR_SERVER, *listening)
        http = httpx.Client(
            base_url=f"{place}:{port}/api/v1",
            headers={"X-API-Key": settings.api_key.get_secret_value()} if settings.api_key else {},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )
        stack.enter_context(http)
        yield RunningPrograms(api, worker, monitor, http, f"{place}:{port}", f"{place}:{monitor_port}")


def _reached_at(host: str) -> str:
    """Converts a listening address to the host of a URL that a browser can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- nothing listens here
    return f"[{host}]" if ":" in host else host


def require_free_port(host: str, port: int, *, option: str = "--port") -> None:
    """Checks that a server can listen on a port.

    Raises:
        Conflict: the port is taken, or the address is not this machine's; names the option for another port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            # As the servers do: another program on the same IPv4 port is no conflict.
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"port {port} on {host} cannot be used ({error.strerror}): "
                f"stop the program that has it, or choose another with {option}"
            ) from None


@contextmanager
def ended_by_signals() -> Generator[None]:
    """Turns SIGTERM and SIGHUP into `KeyboardInterrupt`, so that the program cleans up."""
    heeded = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, _interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)

"""The API and a worker as processes of this command, started by import string."""

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

from flexiprice.cli.serve import API_SERVER, SUPERVISED_WORKER
from flexiprice.embedded.server_process import ServerProcess
from flexiprice.errors import Conflict, ServerFailed
from flexiprice.settings import PREFIX, Settings

_STOP_SIGNALS = (signal.SIGTERM,)
_START_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.05
# Longer than the longest wait that the API grants.
_ANSWER_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class RunningPrograms:
    """The two programs, and a client for the API that holds the key it asks for."""

    api: ServerProcess
    worker: ServerProcess
    http: httpx.Client
    address: str

    def wait_until_ready(self, *, servers: Sequence[ServerProcess]) -> None:
        """Returns when the API finds everything well that it needs, a live worker among it.

        Args:
            servers: what must stay alive meanwhile besides the two programs.

        Raises:
            ServerFailed: one of them ended, or not all is well in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        answer = "the API does not answer"
        while time.monotonic() < deadline:
            for process in (self.api, self.worker, *servers):
                process.require_alive()
            with suppress(httpx.TransportError):
                response = self.http.get("/health/ready")
                if response.is_success:
                    return
                answer = response.text
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise ServerFailed(f"not everything was ready within {_START_SECONDS:.0f} s: {answer}")


@contextmanager
def running_programs(
    settings: Settings, *, host: str, port: int, folder: Path, logs: Path, environment: Mapping[str, str]
) -> Generator[RunningPrograms]:
    """Runs `uvicorn api.main:app` and `arq workers.settings.WorkerSettings` while the context lasts.

    The API is stopped before the worker.

    Args:
        settings: the servers that both use, and the key that guards the API.
        host: address on which the API listens.
        port: port on which the API listens.
        folder: their working folder, in which they look for a `.env`.
        logs: folder for `api.log` and `worker.log`; made if absent.
        environment: their environment variables; the servers' URLs are put in.
    """
    logs.mkdir(parents=True, exist_ok=True)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    variables = {
        **environment,
        f"{PREFIX}DATABASE_URL": settings.require_database_url(),
        f"{PREFIX}REDIS_URL": settings.require_redis_url(),
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
        # One that has done its share is to be followed by another.
        worker = start("The worker", "worker.log", *SUPERVISED_WORKER)
        api = start("The API", "api.log", *API_SERVER, "--host", host, "--port", str(port))
        http = httpx.Client(
            base_url=f"{address}/api/v1",
            headers={"X-API-Key": settings.api_key.get_secret_value()} if settings.api_key else {},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )
        yield RunningPrograms(api, worker, stack.enter_context(http), address)


def require_free_port(host: str, port: int) -> None:
    """Makes sure that a server can listen there.

    Raises:
        Conflict: another program does, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"port {port} on {host} cannot be used ({error.strerror}): "
                "stop the program that has it, or choose another with --port"
            ) from None


@contextmanager
def ended_by_signals() -> Generator[None]:
    """Lets SIGTERM and a closed terminal end the program as Ctrl-C does, so that it cleans up."""
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

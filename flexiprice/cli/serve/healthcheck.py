"""`flexiprice healthcheck`: checks the program of this container, for container engines.

`python -m flexiprice.cli.serve.healthcheck` is the same without the other commands: it starts faster.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Final

import typer

from flexiprice.errors import FlexiPriceError, ServerFailed
from flexiprice.queue.broker import open_job_broker
from flexiprice.settings import load_settings

_TIMEOUT_SECONDS: Final = 5.0
_LOOPBACKS: Final = ("127.0.0.1", "::1")
_EVERY_ADDRESS: Final = ("0.0.0.0", "::", "")  # noqa: S104 -- nothing listens here
_FIRST_PROCESS: Final = Path("/proc/1/cmdline")


class Program(StrEnum):
    """A program that a container runs."""

    API = "api"
    MONITOR = "monitor"
    WORKER = "worker"


# Programs by a word of their command line: as typed, and after the command has replaced its process.
_PROGRAMS: Final = {
    "api": Program.API,
    "api.main:app": Program.API,
    "monitor": Program.MONITOR,
    "api.monitor.main:app": Program.MONITOR,
    "worker": Program.WORKER,
    "workers.settings.WorkerSettings": Program.WORKER,
}
_SERVED: Final = {Program.API: (8000, "/api/v1/health/live"), Program.MONITOR: (5555, "/health/live")}


def healthcheck(
    program: Annotated[
        Program | None,
        typer.Argument(help="Program to check. [default: the first process of this container]"),
    ] = None,
    *,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the API or the monitor. [default: as it was started]"),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to connect to. [default: as it was started; 127.0.0.1 and ::1]", show_default=False
        ),
    ] = None,
) -> None:
    """Check the API, the monitor or the worker on this host; exit code 1 if it is unhealthy.

    The API and the monitor must respond. At least one worker on this host must send heartbeats to Redis.
    """
    try:
        if program is None:
            command = _FIRST_PROCESS.read_text().split("\0")
            program, started_on = recognise(command)
            port, host = port or started_on, host or listening_host(command)
        message = asyncio.run(_worker_here()) if program is Program.WORKER else _answer(program, host, port)
    except (OSError, HTTPException, FlexiPriceError) as error:
        typer.echo(str(error) or type(error).__name__, err=True)
        raise typer.Exit(1) from None
    typer.echo(message)


def recognise(command: Sequence[str]) -> tuple[Program, int | None]:
    """Returns the program that a command line starts, and the port that it names.

    Raises:
        ServerFailed: the command line starts none of the programs.
    """
    found = next((_PROGRAMS[word] for word in command if word in _PROGRAMS), None)
    if found is None:
        raise ServerFailed(f"neither API nor monitor nor worker: {' '.join(command).strip()}")
    named = re.search(r"--port[ =](\d+)", " ".join(command))
    return found, int(named.group(1)) if named else None


def listening_host(command: Sequence[str]) -> str | None:
    """Returns the address that a command line names to listen on; None for no address or all addresses."""
    named = re.search(r"--host[ =](\S+)", " ".join(command))
    host = named.group(1).strip("[]") if named else None
    return None if host in _EVERY_ADDRESS else host


def _answer(program: Program, host: str | None, port: int | None) -> str:
    usual_port, path = _SERVED[program]
    refused: OSError | None = None
    # A program that listens on `::` may not listen on IPv4, nor one on 127.0.0.1 on IPv6.
    for asked in (host,) if host else _LOOPBACKS:
        try:
            status = _status(asked, port or usual_port, path)
        except OSError as error:
            refused = refused or error
            continue
        break
    else:
        raise refused or OSError("no address to ask")
    if status != HTTPStatus.OK:
        raise ServerFailed(f"the {program} answers {status} on {path}")
    return f"the {program} answers"


def _status(host: str, port: int, path: str) -> int:
    # Not httpx, which takes longer to import than the whole check.
    connection = HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


async def _worker_here() -> str:
    host = socket.gethostname()
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            open_job_broker(load_settings(), program="flexiprice-healthcheck") as broker,
        ):
            here = [worker for worker in await broker.tasks.live_workers() if worker.host == host]
    except TimeoutError:
        raise OSError("Redis does not answer in time") from None
    if not here:
        raise ServerFailed(f"no worker on {host} shows that it lives")
    return f"alive on {host}: {', '.join(f'pid {worker.pid}' for worker in here)}"


if __name__ == "__main__":
    typer.run(healthcheck)

"""The API under load: reading a status and triggering a recompute, against a bare endpoint in the same app.

`python -m tests.bench.api_load [--rounds 7]`. Sixteen connections send one request after the other to
one process of uvicorn with uvloop and httptools; requests are written and answers read with nothing but
sockets, as whatever the sender needs is taken from the server on a machine of few cores.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import uvloop
from redis import Redis
from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls, embedded_servers

BARE, STATUS, TRIGGER = "a bare endpoint", "reading a status", "triggering a recompute"
LEAST: Final = {STATUS: 0.25, TRIGGER: 0.20}
_CONNECTIONS: Final = 16
_API_KEY: Final = "a-key-for-the-benchmark"
_ADMIN: Final = "/api/v1/admin/discounts"
_ROOT: Final = Path(__file__).parents[2]
_HEADERS_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


async def _send(port: int, request: bytes, until: float) -> int:
    """Sends a request again and again on one connection; returns how many were answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    try:
        while time.perf_counter() < until:
            writer.write(request)
            headers = await reader.readuntil(_HEADERS_END)
            if headers[9:10] != b"2":
                raise RuntimeError(headers.decode())
            begin = headers.index(_LENGTH) + len(_LENGTH)
            await reader.readexactly(int(headers[begin : headers.index(b"\r", begin)]))
            answered += 1
    finally:
        writer.close()
    return answered


async def _load(port: int, request: bytes, seconds: float) -> float:
    """Answers per second."""
    began = time.perf_counter()
    answered = await asyncio.gather(*(_send(port, request, began + seconds) for _ in range(_CONNECTIONS)))
    return sum(answered) / (time.perf_counter() - began)


def _request(method: str, path: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"X-API-Key: {_API_KEY}", "Content-Length: 0"]
    return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def _api(urls: ServerUrls) -> Generator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "tests.bench.bare_app:app"),
            *("--port", str(port), "--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ],
        cwd=_ROOT,
        env={
            **os.environ,
            "FLEXIPRICE_DATABASE_URL": urls.database_url,
            "FLEXIPRICE_REDIS_URL": urls.redis_url,
            "FLEXIPRICE_API_KEY": _API_KEY,
            "FLEXIPRICE_LOG_LEVEL": "WARNING",
            "FLEXIPRICE_QUEUE_LIMIT": "10000000",
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        program.terminate()
        program.wait(60)


def _triggered(port: int) -> str:
    """The id of a job that waits; returns when the API is there to take it."""
    address = f"http://127.0.0.1:{port}{_ADMIN}/trigger-recompute"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = httpx.post(address, headers={"X-API-Key": _API_KEY}, trust_env=False)
            return str(answer.raise_for_status().json()["task_id"])
        time.sleep(0.05)
    raise TimeoutError("the API did not start")


def run(*, rounds: int = 7, seconds: float = 2.0) -> bool:
    """Measures and prints; returns whether every limit holds."""
    console = Console()
    rates: dict[str, list[float]] = defaultdict(list)
    with (
        TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        embedded_servers(Path(scratch), durable=False) as urls,
        Redis.from_url(urls.redis_url) as redis,
        console.status("API under load"),
    ):
        upgrade(urls.database_url)
        with _api(urls) as port:
            _triggered(port)
            for _ in range(rounds):
                redis.flushdb()
                waiting = _triggered(port)
                for name, request in (
                    (BARE, _request("GET", "/bare")),
                    (STATUS, _request("GET", f"{_ADMIN}/task-status/{waiting}")),
                    (TRIGGER, _request("POST", f"{_ADMIN}/trigger-recompute")),
                ):
                    rates[name].append(uvloop.run(_load(port, request, seconds)))
    table = Table("", "requests/s", "of the bare", "at least", "", title=f"medians of {rounds} rounds")
    holds = True
    for name, found in rates.items():
        share, least = median(found) / median(rates[BARE]), LEAST.get(name, 1.0)
        holds = holds and share >= least
        mark = "holds" if share >= least else "passed"
        table.add_row(name, f"{median(found):,.0f}", f"{share:.2f}", f"{least:.2f}", mark)
    console.print(table)
    return holds


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api_load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    sys.exit(0 if run(rounds=chosen.rounds, seconds=chosen.seconds) else 1)


if __name__ == "__main__":
    main()

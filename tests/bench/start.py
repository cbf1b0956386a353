"""Seconds from typing a command to its end, against an interpreter that does nothing.

`python -m tests.bench.start [--rounds 15]` measures it alone.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from flexiprice.embedded.servers import embedded_servers
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.settings import load_settings

_COMMAND: Final = (sys.executable, "-m", "flexiprice.cli.main")
_EMPTY: Final = (sys.executable, "-c", "pass")
# 0.3 s and 0.45 s where an interpreter that does nothing takes 0.012 s.
MOST_OF_HELP: Final = 25.0
MOST_OF_STATUS: Final = 37.5


@dataclass
class Start:
    """Seconds of a command and of the empty interpreter, round by round."""

    name: str
    limit: float
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the command as a multiple of that of the empty interpreter."""
        return median(self.ours) / median(self.floor)

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio <= self.limit

    def __str__(self) -> str:
        return (
            f"flexiprice {self.name}: {median(self.ours):.3f} s "
            f"({min(self.ours):.3f} to {max(self.ours):.3f}), "
            f"an empty interpreter {median(self.floor):.3f} s, ratio {self.ratio:.1f} (at most {self.limit})"
        )


def run(redis_url: str, *, rounds: int = 15) -> list[Start]:
    """Starts the commands in turns with the empty interpreter; a first round warms the caches up."""
    environment = {**os.environ, "FLEXIPRICE_REDIS_URL": redis_url}
    job_id = asyncio.run(_enqueue(redis_url))
    commands = [
        (Start("--help", MOST_OF_HELP), ("--help",)),
        (Start("status", MOST_OF_STATUS), ("status", job_id)),
    ]
    for number in range(rounds + 1):
        for start, arguments in commands:
            floor, ours = _seconds(_EMPTY, environment), _seconds((*_COMMAND, *arguments), environment)
            if number:
                start.floor.append(floor)
                start.ours.append(ours)
    return [start for start, _ in commands]


async def _enqueue(redis_url: str) -> str:
    settings = load_settings(env_files=(), redis_url=redis_url)
    async with open_job_broker(settings, program="flexiprice-bench") as broker:
        return (await broker.tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS)).job_id


def _seconds(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    with (
        TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        embedded_servers(Path(scratch), durable=False) as urls,
    ):
        found = run(urls.redis_url, rounds=chosen.rounds)
    for start in found:
        Console().print(str(start), "holds" if start.holds else "exceeded")
    sys.exit(0 if all(start.holds for start in found) else 1)


if __name__ == "__main__":
    main()

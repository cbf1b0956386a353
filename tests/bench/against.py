"""Compares the database's work in this checkout with that in another one, in turn on one server.

`python -m tests.bench.against FOLDER` starts one server, and a process of each checkout with a database
of its own there. Both do the same work again and again, one directly after the other, so that whatever
slows the machine slows both. For each kind of work it prints the medians and their ratio, here by there.
FOLDER needs a `.venv` of its own and `tests/bench/turns.py`.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from rich.progress import track
from rich.table import Table

from flexiprice.embedded.servers import embedded_servers
from tests.bench.__main__ import console
from tests.support import servers

_HERE = Path(__file__).parents[2]
_KINDS = ("nothing changed", "3% changed", "price snapshot", "cleanup", "first run")


class Checkout:
    """A process of one checkout that works when it is told to.

    Args:
        folder: of the checkout.
        url: of an empty database.
        batches: size of the shop.

    Raises:
        RuntimeError: the process ended; it said why.
    """

    def __init__(self, folder: Path, url: str, batches: int) -> None:
        self.process = subprocess.Popen(
            [".venv/bin/python", "-m", "tests.bench.turns", url, str(batches)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.milliseconds: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        self._answer()

    def work(self, kind: str) -> float:
        """Does the work of a kind once. Returns its milliseconds."""
        assert self.process.stdin is not None
        print(kind, file=self.process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args} ended")
        return answer


@contextmanager
def checkouts(other: Path, batches: int) -> Iterator[tuple[Checkout, Checkout]]:
    """This checkout and another one, each with a shop of this size, on one durable server."""
    started: list[Checkout] = []
    with (
        tempfile.TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        embedded_servers(Path(scratch), durable=True) as urls,
        servers.database(urls.database_url, "here") as here,
        servers.database(urls.database_url, "there") as there,
    ):
        try:
            started += [Checkout(_HERE, here, batches), Checkout(other, there, batches)]
            yield started[0], started[1]
        finally:
            for one in started:
                one.process.kill()
                one.process.wait()


def compare(other: Path, batches: int, rounds: int, kinds: Sequence[str]) -> Table:
    """Lets both work in turn, the first one by turns too; a first round, which warms up, does not count."""
    with checkouts(other, batches) as (ours, theirs):
        order = [ours, theirs]
        for round_ in track(range(rounds + 1), f"{batches:,} batches", console=console):
            for kind in kinds:
                for checkout in order:
                    took = checkout.work(kind)
                    if round_:
                        checkout.milliseconds[kind].append(took)
                order.reverse()
        return show(batches, {kind: (ours.milliseconds[kind], theirs.milliseconds[kind]) for kind in kinds})


def show(batches: int, measured: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Table:
    """The medians by kind of work, and the middle half of the ratios of the pairs."""
    table = Table("what", "batches", "there ms", "here ms", "here / there", "middle half of pairs")
    for kind, (here, there) in measured.items():
        low, _, high = quantiles((mine / other for mine, other in zip(here, there, strict=True)), n=4)
        table.add_row(
            kind,
            f"{batches:,}",
            f"{median(there):.1f}",
            f"{median(here):.1f}",
            f"{median(here) / median(there):.3f}",
            f"{low:.2f} to {high:.2f}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.against", description=__doc__.splitlines()[0]
    )
    parser.add_argument("other", type=Path, help="folder of the other checkout, with a .venv")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=20, help="pairs of each kind of work, at least two")
    parser.add_argument("--kinds", choices=_KINDS, nargs="+", default=_KINDS, help="of work")
    asked = parser.parse_args()
    for batches in asked.sizes:
        console.print(compare(asked.other.resolve(), batches, asked.rounds, asked.kinds))


if __name__ == "__main__":
    main()

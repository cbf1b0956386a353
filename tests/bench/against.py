"""Compares the database's work in this checkout with that in another one, run in turn.

`python -m tests.bench.against FOLDER` runs `tests.bench` here and in FOLDER, which has a
`.venv` of its own, again and again in turn. For each kind of work it prints the median of its
milliseconds in both and the ratio, here by there. Each run makes servers of its own.
"""

import argparse
import subprocess
from collections import defaultdict
from pathlib import Path
from statistics import median

from rich.table import Table

from tests.bench.__main__ import console

_HERE = Path(__file__).parents[2]


def milliseconds(checkout: Path, batches: int) -> dict[str, float]:
    """One run's `ours ms` by kind of work.

    Raises:
        ValueError: it printed no table
    """
    # Its folder had a longer name once.
    module = "tests.bench" if (checkout / "tests/bench").is_dir() else "tests.benchmarks"
    ran = subprocess.run(
        [".venv/bin/python", "-m", module, "--skip-latency", "--sizes", str(batches)],
        check=False,  # exits with 1 where a limit is passed, which is not asked here
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    measured = read_table(ran.stdout, batches)
    if not measured:
        raise ValueError(f"{checkout} printed no measurements:\n{ran.stdout}{ran.stderr}")
    return measured


def read_table(printed: str, batches: int) -> dict[str, float]:
    """The `ours ms` of a shop of this size by kind of work, from the table that the benchmark prints."""
    measured: dict[str, float] = {}
    columns: list[str] = []
    for line in printed.splitlines():
        # The heading has thick borders, the rows have thin ones.
        columns = [cell.strip() for cell in line.split("┃")] if "ours ms" in line else columns
        row = dict(zip(columns, (cell.strip() for cell in line.split("│")), strict=False))
        if row.get("batches") == f"{batches:,}" and "ORM" not in row["what"]:
            measured[row["what"]] = float(row["ours ms"].replace(",", ""))
    return measured


def compare(other: Path, batches: int, rounds: int) -> Table:
    """Runs both checkouts in turn, the first one by turns too."""
    here: dict[str, list[float]] = defaultdict(list)
    there: dict[str, list[float]] = defaultdict(list)
    order = [(_HERE, here), (other, there)]
    for _ in range(rounds):
        for checkout, found in order:
            for name, took in milliseconds(checkout, batches).items():
                found[name].append(took)
        order.reverse()
    table = Table("what", "batches", "there ms", "here ms", "here / there", "pairs")
    # A row of one checkout alone is no comparison.
    for name in (name for name in here if name in there):
        ours, theirs = here[name], there[name]
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        table.add_row(
            name,
            f"{batches:,}",
            f"{median(theirs):.1f}",
            f"{median(ours):.1f}",
            f"{median(ours) / median(theirs):.3f}",
            " ".join(f"{ratio:.2f}" for ratio in sorted(ratios)),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.against", description=__doc__.splitlines()[0]
    )
    parser.add_argument("other", type=Path, help="folder of the other checkout, with a .venv")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each checkout")
    asked = parser.parse_args()
    for batches in asked.sizes:
        console.print(compare(asked.other.resolve(), batches, asked.rounds))


if __name__ == "__main__":
    main()

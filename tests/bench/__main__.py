"""`make bench`: measures everything, prints a table, and exits 1 where a limit is passed."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import embedded_servers
from tests.bench import latency, start
from tests.bench.comparison import Comparison, milliseconds
from tests.bench.growth import Growth, growth
from tests.bench.memory import megabytes
from tests.bench.one_batch import one_batch_changed
from tests.bench.per_row_orm import against_row_by_row
from tests.bench.recompute import first_run, nothing_changed, three_percent_changed
from tests.bench.shop import shop
from tests.bench.upkeep import cleanup, snapshot
from tests.support import servers

SIZES = (10_000, 100_000, 1_000_000)
_MOST_GROWTH = 0.05
_MOST_MEMORY_GROWTH_MB = 15
_SLOWEST_LATENCY = 0.1
# Few rounds where one takes seconds, more where noise weighs more.
_ROUNDS = {10_000: 15, 100_000: 9, 1_000_000: 5}

_COLUMNS = (
    "what", "batches", "floor ms", "min to max", "ours ms", "min to max", "batches/s", "ratio", "limit", "",
    "seen",
)  # fmt: skip

# Into a file the table goes unbroken.
console = Console() if sys.stdout.isatty() else Console(width=180)


async def measure(url: str, batches: int, *, store_prices: int) -> tuple[list[Comparison], Growth, float]:
    """Everything in the shop of one size, on a database that is migrated and empty."""
    rounds = _ROUNDS.get(batches, 5)
    async with shop(url, batches, store_prices=store_prices) as opened:
        with console.status(f"{batches:,} batches"):
            compared = [
                await first_run(opened, rounds=rounds),
                await nothing_changed(opened, rounds=rounds + 4),
                await three_percent_changed(opened, rounds=rounds),
                await snapshot(opened, rounds=rounds),
                await cleanup(opened, rounds=rounds),
            ]
            if batches <= 10_000:
                compared.append(await against_row_by_row(opened, rounds=3))
            grown = await growth(opened)
            used = await megabytes(opened)
            if batches <= 10_000:
                compared.append(await one_batch_changed(opened, rounds=rounds + 4))
            return compared, grown, used


def show(compared: Sequence[Comparison], grown: Sequence[Growth], memory: dict[int, float]) -> bool:
    """Prints the results; returns whether every limit holds."""
    table = Table(*_COLUMNS)
    for one in compared:
        table.add_row(
            one.name,
            f"{one.batches:,}",
            milliseconds(median(one.floor)),
            one.floor_range,
            milliseconds(median(one.ours)),
            one.our_range,
            f"{one.batches_per_second:,.0f}",
            f"{one.ratio:.3f}",
            f"{one.limit:.2f}",
            _mark(one.holds),
            one.note,
        )
    console.print(table)
    for one in grown:
        console.print(
            f"{one.batches:,} batches: discounts grew by {one.share:.1%} over {one.rounds} rounds of 3% "
            f"(at most {_MOST_GROWTH:.0%}), {one.hot_updates:.0%} of the updates HOT",
            _mark(one.share < _MOST_GROWTH),
        )
    spread = max(memory.values()) - min(memory.values())
    told = ", ".join(f"{size:,}: {used:.0f} MB" for size, used in memory.items())
    console.print(
        f"memory of a process that recomputes, by batches: {told}", _mark(spread < _MOST_MEMORY_GROWTH_MB)
    )
    return (
        all(one.holds for one in compared)
        and all(one.share < _MOST_GROWTH for one in grown)
        and spread < _MOST_MEMORY_GROWTH_MB
    )


def _show_latency() -> bool:
    with console.status("latency"):
        found, idle = latency.run()
    console.print(
        f"POST to result: {median(found.ours):.1f} ms, arq's default polling {median(found.plain):.1f} ms, "
        f"ratio {found.ratio:.3f} (at most {_SLOWEST_LATENCY})",
        _mark(found.ratio <= _SLOWEST_LATENCY),
    )
    console.print(f"an idle worker uses {idle.share:.2%} of a core")
    return found.ratio <= _SLOWEST_LATENCY


def _mark(holds: bool) -> str:
    return "[green]holds[/]" if holds else "[red]exceeded[/]"


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of batches")
    parser.add_argument("--skip-latency", action="store_true", help="measure the database's work only")
    parser.add_argument(
        "--store-prices",
        type=int,
        default=0,
        metavar="PERCENT",
        help="percentage of products in stores that have a price of their own there",
    )
    chosen = parser.parse_args()
    compared: list[Comparison] = []
    grown: list[Growth] = []
    memory: dict[int, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        # Durable, as in production: what is measured must reach the disk.
        embedded_servers(Path(scratch), durable=True) as urls,
    ):
        starts = start.run(urls.redis_url)
        for batches in chosen.sizes:
            with servers.database(urls.database_url, f"bench_{batches}") as url:
                upgrade(url)
                of_size, growing, memory[batches] = asyncio.run(
                    measure(url, batches, store_prices=chosen.store_prices)
                )
            compared += of_size
            grown.append(growing)
    holds = show(compared, grown, memory)
    for one in starts:
        console.print(str(one), _mark(one.holds))
        holds = holds and one.holds
    if not chosen.skip_latency:
        holds = _show_latency() and holds
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()

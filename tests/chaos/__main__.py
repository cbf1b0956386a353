"""Injects faults and prints their outcomes: `python -m tests.chaos [name …]`; exits 1 if one fails."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import scratch_folder
from tests.chaos import (
    clock_faults,
    database_faults,
    queue_faults,
    schedule_faults,
    server_faults,
    shard_faults,
    storm_faults,
    worker_faults,
)
from tests.chaos.harness import Harness, open_harness
from tests.chaos.outcome import RECOVERS_WITHIN, Outcome
from tests.support.breakable_servers import BreakableServers, breakable_servers

OfWorkers = Callable[[Harness], Awaitable[Outcome]]
OfServers = Callable[[Harness, BreakableServers], Awaitable[Outcome]]

OF_WORKERS: Final[tuple[OfWorkers, ...]] = (
    worker_faults.kill_one_of_two_mid_recompute,
    worker_faults.kill_the_only_one_then_restart,
    worker_faults.stop_with_grace,
    worker_faults.stop_without_grace,
    worker_faults.pause_past_the_lease,
    worker_faults.kill_between_commit_and_acknowledgement,
    worker_faults.poison,
    shard_faults.shards_killed,
    queue_faults.corrupt_bytes,
    queue_faults.poisoned_entries,
    queue_faults.unknown_task,
    schedule_faults.no_worker_at_a_tick,
    schedule_faults.thousand_ticks,
    clock_faults.clock_a_day_ahead,
    clock_faults.clock_put_back_an_hour,
    queue_faults.storm,
    storm_faults.kill_stop_and_freeze,
    storm_faults.poison_amid_the_storm,
)
OF_SERVERS: Final[tuple[OfServers, ...]] = (
    server_faults.redis_restart,
    server_faults.redis_killed,
    server_faults.postgres_restart,
    server_faults.postgres_frozen,
    server_faults.redis_frozen,
    database_faults.disk_full,
    database_faults.statement_timeout,
    database_faults.lock_held,
    database_faults.restore,
    server_faults.redis_without_replicas,
    server_faults.redis_cannot_save,
    server_faults.redis_without_master,
)
_LAST_LINES: Final = 8


def main(names: list[str]) -> int:
    """Injects the named faults, or all; returns the exit code."""
    known = {fault.__name__: fault for fault in (*OF_WORKERS, *OF_SERVERS)}
    if unknown := set(names) - set(known):
        sys.exit(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    console = Console(stderr=True)
    rows: list[tuple[str, Outcome]] = []
    with breakable_servers() as servers:
        upgrade(servers.database_url)
        for name, fault in known.items():
            if names and name not in names:
                continue
            title = (fault.__doc__ or name).strip().rstrip(".")
            began = time.monotonic()
            row = asyncio.run(_play(name, servers, console))
            rows.append((title, row))
            console.print(f"{'holds' if row.holds else 'FAILS'}  {time.monotonic() - began:5.1f} s  {title}")
    Console(width=150 if not sys.stdout.isatty() else None).print(_table(rows))
    return 0 if all(row.holds for _, row in rows) else 1


async def _play(name: str, servers: BreakableServers, console: Console) -> Outcome:
    with scratch_folder() as folder:
        async with open_harness(servers.database_url, servers.redis_url, folder) as harness:
            try:
                by_name = {fault.__name__: fault for fault in OF_WORKERS}
                if name in by_name:
                    row = await by_name[name](harness)
                else:
                    row = await {fault.__name__: fault for fault in OF_SERVERS}[name](harness, servers)
            except Exception as error:  # noqa: BLE001 -- the other faults are still to be injected
                row = Outcome(
                    jobs=0,
                    lost=0,
                    doubled=0,
                    unrecorded=0,
                    recovery=None,
                    note=repr(error),
                    as_it_should=False,
                )
            if not row.holds:
                for worker in harness.workers:
                    lines = worker.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
                    console.print(f"worker {worker.pid}:", *lines, sep="\n  ", markup=False, highlight=False)
            return row


def _table(rows: list[tuple[str, Outcome]]) -> Table:
    table = Table("fault", title=f"Recovered within {RECOVERS_WITHIN:.0f} s, nothing lost, doubled or untold")
    for column in ("jobs in flight", "lost", "effects doubled", "runs untold", "seconds to recover"):
        table.add_column(column, justify="right")
    table.add_column("besides")
    table.add_column("")
    for title, row in rows:
        seconds = "–" if row.recovery is None else f"{row.recovery:.1f}"
        mark = "holds" if row.holds else "FAILS"
        table.add_row(
            title,
            f"{row.jobs:,}",
            str(row.lost),
            str(row.doubled),
            str(row.unrecorded),
            seconds,
            row.note,
            mark,
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

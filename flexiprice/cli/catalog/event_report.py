"""Prints the report of an import of events."""

from collections.abc import Sequence
from pathlib import Path

from flexiprice.catalog.imports.problems import BadRow
from flexiprice.cli.catalog.report_parts import SHOWN, show_columns, show_rows
from flexiprice.cli.console import escaped, new_table, output
from flexiprice.events.report import EventReport
from flexiprice.plurals import counted
from flexiprice.queue.client import EnqueuedJob


def show_events(report: EventReport, *, dry_run: bool, errors: Path | None, job: EnqueuedJob | None) -> None:
    """Prints the numbers of events, and the first that were refused or set aside."""
    console = output()
    show_columns(report.columns, report.unused_columns)
    numbers = ("read", "recorded", "ignored", "set aside", "bad")
    table = new_table("", *numbers, numbers=numbers)
    counts = (report.read, report.recorded, report.ignored, report.set_aside, report.bad)
    table.add_row("events", *map(str, counts))
    console.print(table)
    if report.already_counted:
        console.print(
            f"{counted(report.already_counted, 'event')} moved no stock: it was stated at a later instant."
        )
    if report.beyond_stock:
        console.print(f"{counted(report.beyond_stock, 'event')} had more units than the known stock.")
    _show_rows("why it was left out", report.bad_rows, report.bad)
    _show_rows("why it was set aside", report.set_aside_rows, report.set_aside)
    left_out = report.bad + report.set_aside
    if errors is not None and left_out:
        console.print(f"Written to {escaped(errors)}: {counted(left_out, 'event')}.")
    if dry_run:
        console.print("A rehearsal: nothing was written.")
    elif job is not None:
        console.print(f"The workers reprice it now: flexiprice status {job.job_id}")


def _show_rows(reason: str, rows: Sequence[BadRow], total: int) -> None:
    if not rows:
        return
    show_rows(reason, rows[:SHOWN])
    if total > SHOWN:
        output().print(f"… and {total - SHOWN} more; --errors FILE writes them all.")

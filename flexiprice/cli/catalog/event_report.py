"""Prints the report of an import of events."""

from collections.abc import Sequence
from pathlib import Path

from flexiprice.catalog.imports.problems import BadRow
from flexiprice.cli.console import escaped, new_table, output
from flexiprice.events.report import EventReport
from flexiprice.plurals import counted
from flexiprice.queue.client import EnqueuedJob

_SHOWN = 20


def show_events(report: EventReport, *, dry_run: bool, errors: Path | None, job: EnqueuedJob | None) -> None:
    """Prints the numbers of events, and the first that were refused or set aside."""
    console = output()
    mapped = ", ".join(f"{field} from {escaped(column)}" for field, column in report.columns.items())
    console.print(f"Columns: {mapped}", style="dim")
    if report.unused_columns:
        console.print(f"Ignored columns: {escaped(', '.join(report.unused_columns))}", style="dim")
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
    table = new_table("line", "column", reason, numbers=("line",))
    for row in rows[:_SHOWN]:
        for position, problem in enumerate(row.problems):
            table.add_row("" if position else str(row.line), escaped(problem.column), escaped(problem.reason))
    output().print(table)
    if total > _SHOWN:
        output().print(f"… and {total - _SHOWN} more; --errors FILE writes them all.")

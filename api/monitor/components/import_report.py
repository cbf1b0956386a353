"""Shows the report of an import: counts, columns, bad rows and warnings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nicegui import ui

from api.monitor.components.table_frame import MANY, TableFrame, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.format import count, things

_SHOWN: Final = 200
_TABLES: Final = ("products", "batches")
_CHANGES: Final = ("new", "updated", "unchanged")


def show_report(report: Mapping[str, Any]) -> None:
    """Shows the report of an import of stock, as stored.

    Args:
        report: the attributes of `ImportReport` as JSON.
    """
    Text(
        "p",
        f"{things(report['read'], 'row')}: {count(report['imported'])} good, {count(report['bad'])} bad.",
    )
    with TableFrame("Changes").table(("What", *(f"{change.capitalize()}>" for change in _CHANGES))):
        for table in _TABLES:
            with ui.element("tr"):
                text_cell("What").text = table.capitalize()
                for change in _CHANGES:
                    number_cell(change.capitalize()).text = count(report[f"{table}_{change}"])
    if report["batches_sold_out"]:
        Text("p", f"{things(report['batches_sold_out'], 'batch')} sold out: the file leaves them out.")
    columns = ", ".join(f"{field} from {column}" for field, column in report["columns"].items())
    Text("p", f"Columns: {columns or 'none'}.", classes="quiet small")
    if report["unused_columns"]:
        Text("p", f"Not read: {', '.join(report['unused_columns'])}.", classes="quiet small")
    show_bad_rows("Bad rows", report["bad_rows"], total=report["bad"])
    _warnings(report["warnings"], total=report["warning_count"])


def show_bad_rows(label: str, rows: Sequence[Mapping[str, Any]], *, total: int) -> None:
    """Shows bad rows with their problems, the first ones; nothing if there is none."""
    if not rows:
        return
    Text("h3", label)
    with TableFrame(label, folded_to=MANY).table(("Line>", "Column", "Why it is left out")):
        for row in rows[:_SHOWN]:
            for problem in row["problems"]:
                _problem_row(row["line"], problem["column"], problem["reason"])
    if total > _SHOWN:
        Text("p", f"The first {_SHOWN} of {count(total)} are shown.", classes="quiet small")


def _warnings(warnings: Sequence[Mapping[str, Any]], *, total: int) -> None:
    if not warnings:
        return
    Text("h3", "Warnings")
    with TableFrame("Warnings", folded_to=MANY).table(("Line>", "Column", "What to know")):
        for warning in warnings[:_SHOWN]:
            _problem_row(warning["line"], warning["column"], warning["message"], "What to know")
    if total > _SHOWN:
        Text("p", f"The first {_SHOWN} of {count(total)} are shown.", classes="quiet small")


def _problem_row(
    line: int | None, column: str | None, reason: str, heading: str = "Why it is left out"
) -> None:
    with ui.element("tr"):
        number_cell("Line").text = "" if line is None else str(line)
        text_cell("Column", "breakable").text = column or ""
        text_cell(heading, "breakable").text = reason

"""The page of imports: by hand, and the files of the watched directory."""

from collections.abc import Callable
from typing import Final

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.import_card import ImportCard
from api.monitor.components.import_report import show_bad_rows
from api.monitor.components.instants import Instant
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import MANY, cell, number_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import count, things
from api.monitor.layout import page
from api.monitor.queries.imports import read_choices, read_imports
from flexiprice.errors import FlexiPriceError
from flexiprice.import_folder.records import ListedFileImport

_READ_EVERY_SECONDS: Final = 2.0
_COLUMNS: Final = ("When", "File", "Outcome", "Rows>", "Bad>", "Why")


@page("/imports", "Imports")
async def imports() -> None:
    """Shows the latest imports, and imports a file by hand."""
    failure = Failure()
    monitor = current_monitor()

    async def refresh() -> None:
        try:
            found = await monitor.live.cached(
                "imports", lambda: read_imports(monitor.resources), max_age=_READ_EVERY_SECONDS
            )
        except FlexiPriceError as error:
            failure.show(error.message)
            return
        failure.show(None)
        rows.show({str(listed.import_id): listed for listed in found})

    ImportCard(await read_choices(monitor.resources), on_imported=refresh)
    with ui.element("section").classes("card").props("aria-label='Imported files'"):
        Text("h2", "Imported files")
        directory = monitor.resources.settings.import_directory
        where = (
            f"Files that are dropped into {directory} appear here."
            if directory
            else (
                "Set FLEXIPRICE_IMPORT_DIRECTORY, and workers import the files that other systems drop there."
            )
        )
        Text("p", where, classes="quiet")
        rows = LiveTable[ListedFileImport]("Imported files", _COLUMNS, _make_row, _empty, folded_to=MANY)
    await refresh()
    ui.timer(_READ_EVERY_SECONDS, refresh, immediate=False)


def _empty() -> ui.element:
    return Placeholder(
        "No file yet", "Imported files are listed here with their bad rows.", icon="upload_file"
    )


def _make_row(listed: ListedFileImport) -> Callable[[ListedFileImport], None]:
    record = listed.record
    report = record.report or {}
    with cell("When", "nowrap"):
        Instant(listed.imported_at)
    with cell("File", "breakable"):
        Text("span", record.place)
    with cell("Outcome", "nowrap"):
        Badge(record.status)
    bad = report.get("bad", 0) + report.get("set_aside", 0)
    number_cell("Rows").text = count(report["read"]) if report else "–"
    number_cell("Bad").text = count(bad) if report else "–"
    with cell("Why", "breakable"):
        if record.error:
            Text("div", record.error)
        rows = [*report.get("bad_rows", ()), *report.get("set_aside_rows", ())]
        if rows:
            with ui.element("details").classes("small"):
                Text("summary", f"Show {things(bad, 'bad row')}")
                show_bad_rows("Bad rows", rows, total=bad)
    return lambda _: None

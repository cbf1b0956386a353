"""Imports a file by hand: upload, preview, then the import."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO, Final, cast

import msgspec
from nicegui import events, ui
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from api.monitor.auth.user import Right
from api.monitor.components.actions import denial_reason, event_of_user, has_right, restricted
from api.monitor.components.import_report import show_report
from api.monitor.components.links import Link, job_path, small_button
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_source
from api.monitor.format import things
from api.monitor.queries.imports import ImportChoices
from flexiprice.access.audit_context import record_refused
from flexiprice.catalog.imports.complete_stock import MAX_SOLD_OUT_PERCENT, CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.db.engine import database_errors
from flexiprice.db.work import Work, for_work
from flexiprice.errors import FlexiPriceError, QueueFull, RedisUnavailable
from flexiprice.import_folder.repricing import reprice_imported
from flexiprice.import_folder.stock_file import StockFile, import_stock_file, preview_stock_file

_BY_NAME: Final = "by the names of the columns"
_PARTIAL, _WHOLE = "some of the stock", "the whole stock of its stores"


class ImportCard(ui.element):
    """Takes a file, shows what its import would change, and imports it when the user agrees."""

    def __init__(self, choices: ImportChoices, *, on_imported: Callable[[], Awaitable[None]]) -> None:
        """Creates the card.

        Args:
            choices: formats and stores to choose from.
            on_imported: called after an import.
        """
        super().__init__("section")
        self.classes("card").props("aria-label='Import a file'")
        self._on_imported = on_imported
        # One reader of the file at a time, and one import of a double click.
        self._reading = asyncio.Lock()
        self._content: BinaryIO | None = None
        self._name = ""
        with self:
            with ui.element("div").classes("card-head"):
                Text("h2", "Import a file")
                with ui.element("div").classes("actions"):
                    choose = small_button("Choose a file", "to import")
            Text(
                "p",
                "CSV, NDJSON, JSON or a workbook, perhaps gzipped. Nothing is written before you have seen a "
                "preview.",
                classes="quiet",
            )
            with ui.element("div").classes("import-options"):
                self._format = _select("Format", [_BY_NAME, *choices.formats])
                self._store = _select("Store of rows without one", choices.stores, value="main")
                self._extent = _select("The file is", [_PARTIAL, _WHOLE])
                self._dates = ui.input("Date format", placeholder="%d.%m.%Y").props("outlined dense")
            self._comma = ui.checkbox("Amounts have a decimal comma: 1.234,50").classes("import-check")
            self._confirmed = ui.checkbox(
                f"It may leave out more than {MAX_SOLD_OUT_PERCENT} % of the stock"
            ).classes("import-check")
            self._confirmed.bind_visibility_from(self._extent, "value", value=_WHOLE)
            for option in (self._format, self._store, self._extent, self._comma, self._confirmed):
                option.on_value_change(self._preview)
            self._dates.on("change", self._preview)
            upload = ui.upload(
                auto_upload=True,
                max_file_size=current_monitor().resources.settings.max_upload_bytes,
                on_upload=self._receive,
                on_rejected=lambda: ui.notify("The file is too large", type="negative"),
            )
            # The button shows it; only its file chooser is used.
            upload.classes("import-upload")
            # In the browser: it opens a file chooser only at the very click.
            choose.on("click", js_handler=f"() => getElement({upload.id}).$refs.qRef.pickFiles()")
            restricted(choose, Right.PRICE)
            if refusal := denial_reason(Right.PRICE):
                upload.disable()
                Text("p", refusal, classes="quiet")
            self._outcome = ui.element("div").props("role=status").classes("import-outcome")

    async def _receive(self, event: events.UploadEventArguments) -> None:
        async with self._reading:
            self._forget()
            # Unlinked already: it is gone with the page.
            self._content = cast("BinaryIO", TemporaryFile())  # noqa: SIM115 -- read until the next upload
            async for chunk in event.file.iterate():
                self._content.write(chunk)
            self._name = event.file.name
        cast("ui.upload", event.sender).reset()
        await self._preview()

    def _forget(self) -> None:
        if self._content is not None:
            self._content.close()
        self._content = None

    async def _preview(self) -> None:
        async with self._reading:
            await self._show_preview()

    async def _show_preview(self) -> None:
        if (upload := self._upload()) is None:
            return
        self._say(f"Reading {self._name} …")
        try:
            with database_errors():
                settings = current_monitor().resources.settings
                report = await preview_stock_file(_sessions(), settings, upload)
        except FlexiPriceError as error:
            self._say(error.message)
            return
        self._outcome.clear()
        with self._outcome:
            Text("h3", f"{self._name}: nothing is written yet")
            show_report(msgspec.to_builtins(report))
            if report.imported:
                label = f"Import {things(report.imported, 'row')}"
                restricted(small_button(label, self._name, self._import), Right.PRICE)
            else:
                Text("p", "No row can be imported.", classes="strong")

    async def _import(self) -> None:
        async with self._reading:
            await self._import_once()

    async def _import_once(self) -> None:
        event = event_of_user("import_file", self._name)
        if (upload := self._upload()) is None or not has_right(Right.PRICE, event):
            return
        self._say(f"Importing {self._name} …")
        monitor = current_monitor()
        try:
            with database_errors():
                outcome, report = await import_stock_file(
                    _sessions(), monitor.resources.settings, upload, fingerprint=os.urandom(32), by=event
                )
        except FlexiPriceError as error:
            await record_refused(monitor.resources.sessions, event, error)
            self._say(error.message)
            return
        self._forget()
        job_id = None
        try:
            job = await reprice_imported(monitor.resources.tasks, outcome, source=current_source())
            job_id = job.job_id if job else None
            repricing = "" if job is None else "The workers reprice it now."
        except (RedisUnavailable, QueueFull) as error:
            repricing = f"Not repriced yet: {error.message}. The next scheduled recompute applies it."
        self._show_imported(report, repricing, job_id)
        await self._on_imported()

    def _show_imported(self, report: ImportReport, repricing: str, job_id: str | None) -> None:
        self._outcome.clear()
        with self._outcome:
            Text("h3", f"{self._name} is imported")
            if repricing:
                Text("p", repricing)
            if job_id is not None:
                Link(job_path(job_id), "Show the task")
            show_report(msgspec.to_builtins(report))

    def _upload(self) -> StockFile | None:
        if self._content is None:
            return None
        dates = str(self._dates.value or "").strip()
        options = FileOptions(
            store=self._store.value,
            decimal_comma=True if self._comma.value else None,
            date_formats=(dates,) if dates else None,
        )
        format_name = None if self._format.value == _BY_NAME else self._format.value
        # For every store that the file names, whatever the store of rows without one.
        complete = CompleteStock(is_confirmed=bool(self._confirmed.value))
        return StockFile(
            place=self._name,
            content=self._content,
            request=ImportRequest(options=options, format_name=format_name),
            completeness=(lambda _: complete) if self._extent.value == _WHOLE else None,
        )

    def _say(self, message: str) -> None:
        self._outcome.clear()
        with self._outcome:
            Text("p", message)


def _sessions() -> async_sessionmaker[AsyncSession]:
    engine = current_monitor().resources.engine
    return async_sessionmaker(for_work(engine, Work.RECOMPUTE), expire_on_commit=False)


def _select(label: str, options: Sequence[str], *, value: str | None = None) -> ui.select:
    return ui.select(list(options), label=label, value=value or options[0]).props("outlined dense")

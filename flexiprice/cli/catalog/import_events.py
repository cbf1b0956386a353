"""`flexiprice import --kind`: imports sales, waste, counts and deliveries."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from enum import StrEnum
from typing import Final

import typer

from flexiprice.access.audit_log import record_audit
from flexiprice.catalog.imports.file_options import ImportRequest
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.files.sources import SourceOptions
from flexiprice.catalog.imports.notation.dates import Timestamps
from flexiprice.cli.access.audit import cli_event, recording_refusals
from flexiprice.cli.catalog.event_report import show_events
from flexiprice.cli.catalog.import_files import SOME_ROWS_BAD, ImportOutputs, bad_rows_file
from flexiprice.cli.connections import with_database
from flexiprice.cli.console import print_json
from flexiprice.cli.tasks.enqueue import reprice, repricing
from flexiprice.db.tables import MAIN_STORE
from flexiprice.db.work import Work
from flexiprice.domain.stock_event import EventKind
from flexiprice.errors import InvalidInput
from flexiprice.events.columns import EventColumns, is_event_header
from flexiprice.events.event_row import EventDefaults, EventRow
from flexiprice.events.reading import RecordChunk, event_reader, read_file
from flexiprice.events.recording import record_events
from flexiprice.events.report import ChunkResult, EventReport
from flexiprice.events.rows import EventReader
from flexiprice.resources import Database
from flexiprice.settings import Settings


class ImportKind(StrEnum):
    """The kind of rows in a file."""

    STOCK = "stock"
    PRICES = "prices"
    SALES = "sales"
    WASTE = "waste"
    COUNTS = "counts"
    DELIVERIES = "deliveries"


_EVENT_KINDS: Final = {
    ImportKind.SALES: EventKind.SALE,
    ImportKind.WASTE: EventKind.WASTE,
    ImportKind.COUNTS: EventKind.COUNT,
    ImportKind.DELIVERIES: EventKind.DELIVERY,
}


def import_events(
    settings: Settings,
    file: AbstractContextManager[Iterator[bytes]],
    request: ImportRequest,
    outputs: ImportOutputs,
    *,
    kind: ImportKind,
    columns: EventColumns,
    source: str | None,
) -> None:
    """Imports a file of events, prints the report, and exits with 3 or 1 if rows were bad or set aside."""
    options, name, errors, dry_run = request.options, outputs.name, outputs.errors, outputs.dry_run
    defaults = EventDefaults(
        kind=_EVENT_KINDS[kind],
        store=options.store or MAIN_STORE,
        source=source,
        occurred_at=request.as_of,
        currency=settings.currency,
        decimal_comma=bool(options.decimal_comma),
        local_times=options.timestamps is Timestamps.LOCAL,
        date_formats=options.date_formats,
    )
    source_options = SourceOptions(
        file_format=_file_format(request.format_name),
        encoding=options.encoding or "utf-8",
        delimiter=options.delimiter,
        is_header=lambda names: is_event_header(names, columns),
        sheet=options.sheet,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        workbook_memory_bytes=settings.workbook_memory_bytes,
    )

    async def use(database: Database) -> EventReport:
        async def record_alone(rows: list[EventRow]) -> ChunkResult:
            async with database.sessions.begin() as session:
                result = await record_events(session, rows)
                if result.written:
                    await record_audit(session, [cli_event("import_events", name, result.written)])
                return result

        async def read(reader: EventReader, record: RecordChunk) -> EventReport:
            with ExitStack() as stack:
                on_bad_row = stack.enter_context(bad_rows_file(errors)) if errors else None
                report, _ = await read_file(
                    stack.enter_context(file),
                    reader,
                    record,
                    options=source_options,
                    columns=columns,
                    on_bad_row=on_bad_row,
                )
            return report

        async with database.sessions() as session, session.begin() as transaction:
            reader = await event_reader(session, defaults, retention_days=settings.event_retention_days)
            if dry_run:
                # In one transaction, so that later rows see earlier ones.
                report = await read(reader, lambda rows: record_events(session, rows))
                await transaction.rollback()
                return report
        return await read(reader, record_alone)

    with nullcontext() if dry_run else recording_refusals(settings, "import_events", name):
        report = with_database(settings, use, work=Work.RECOMPUTE)
    needed = bool(report.moved_batches) and not dry_run
    job = reprice(settings) if needed else None
    if outputs.as_json:
        print_json({"report": report, "dry_run": dry_run, "repricing": repricing(job, needed=needed)})
    else:
        show_events(report, dry_run=dry_run, errors=errors, job=job)
    if report.bad or report.set_aside:
        raise typer.Exit(SOME_ROWS_BAD if report.recorded or report.ignored else 1)


def _file_format(name: str | None) -> FileFormat | None:
    if name is None:
        return None
    if name not in set(FileFormat):
        known = ", ".join(FileFormat)
        raise InvalidInput(f"a file of events has no format {name!r}: give one of {known}", field="format")
    return FileFormat(name)

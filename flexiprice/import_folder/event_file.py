"""Imports a dropped file of sales, waste, counts or deliveries."""

from typing import BinaryIO, Final

import msgspec

from flexiprice.catalog.imports.files.sources import SourceOptions, chunks_of
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.stock_event import EventKind
from flexiprice.events.columns import is_event_header
from flexiprice.events.event_row import EventDefaults, EventRow
from flexiprice.events.reading import event_reader, read_file
from flexiprice.events.recording import record_events
from flexiprice.events.report import ChunkResult
from flexiprice.import_folder.dropped_files import FolderKind
from flexiprice.import_folder.outcomes import (
    FileChanged,
    FileImportRequest,
    FileOutcome,
    record_of_rows,
    store_outcome,
)

EVENT_KINDS: Final = {
    FolderKind.SALES: EventKind.SALE,
    FolderKind.WASTE: EventKind.WASTE,
    FolderKind.COUNTS: EventKind.COUNT,
    FolderKind.DELIVERIES: EventKind.DELIVERY,
}


async def import_event_file(request: FileImportRequest, content: BinaryIO, kind: EventKind) -> FileOutcome:
    """Records the events of a file chunk by chunk, and stores its record at the end.

    Interrupted, the file is imported again; what was recorded is then ignored.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        FileChanged: the file was written while it was read.
    """
    file, sessions, settings = request.file, request.sessions, request.settings
    defaults = EventDefaults(
        kind=kind, store=MAIN_STORE, source=file.detail or None, currency=settings.currency
    )

    async def record_alone(rows: list[EventRow]) -> ChunkResult:
        async with sessions.begin() as session:
            return await record_events(session, rows)

    async with sessions.begin() as session:
        reader = await event_reader(session, defaults, retention_days=settings.event_retention_days)
    report, moved = await read_file(
        chunks_of(content),
        reader,
        record_alone,
        options=SourceOptions(
            is_header=lambda names: is_event_header(names, {}),
            max_unpacked_bytes=settings.max_unpacked_bytes,
            workbook_memory_bytes=settings.workbook_memory_bytes,
        ),
        columns={},
    )
    if not file.is_unchanged():
        raise FileChanged
    record = record_of_rows(
        file.place,
        file.kind or "",
        read=report.read,
        good=report.recorded + report.ignored,
        bad=report.bad + report.set_aside,
        report=msgspec.to_builtins(report),
    )
    written = {
        "recorded": report.recorded,
        "set_aside": report.set_aside,
        "moved_batches": report.moved_batches,
    }
    async with sessions.begin() as session:
        await store_outcome(session, record, fingerprint=request.fingerprint, written=written)
    return FileOutcome(record=record, changed_batches=moved)

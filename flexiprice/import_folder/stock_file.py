"""Imports a dropped file of products and batches."""

from typing import BinaryIO

import msgspec

from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.import_folder.dropped_files import FolderKind
from flexiprice.import_folder.outcomes import (
    MOST_NAMED,
    FileChanged,
    FileImportRequest,
    FileOutcome,
    record_of_rows,
    store_outcome,
)


async def import_stock_file(request: FileImportRequest, content: BinaryIO) -> FileOutcome:
    """Imports a file in one transaction, which stores its record too.

    A complete file with a bad row is refused as a whole.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        Conflict: a product was deleted concurrently.
        FileChanged: the file was written while it was read; nothing is imported.
    """
    file = request.file
    is_complete = file.kind is FolderKind.COMPLETE
    asked = ImportRequest(
        options=FileOptions(),
        format_name=file.detail or None,
        as_of=min(file.changed_at, request.now),
    )
    async with request.sessions() as session, session.begin() as transaction:
        options, resolved = await resolve_options(session, asked)
        imported = await import_catalogue(
            session,
            chunks_of(content),
            layout_of(options, resolved, request.settings),
            most_named=MOST_NAMED,
            complete=CompleteStock(store=options.store) if is_complete else None,
        )
        if not file.is_unchanged():
            raise FileChanged
        report = imported.report
        is_rejected = is_complete and report.bad > 0
        if is_rejected:
            report = report.of_rejected_file()
        record = record_of_rows(
            file.place,
            file.kind or "",
            read=report.read,
            good=report.imported,
            bad=report.bad,
            report=msgspec.to_builtins(report),
        )
        if is_rejected:
            await transaction.rollback()
        else:
            await store_outcome(session, record, fingerprint=request.fingerprint, written=report.written)
    if is_rejected:
        async with request.sessions.begin() as session:
            await store_outcome(session, record, fingerprint=request.fingerprint, written={})
        return FileOutcome(record=record)
    return FileOutcome(
        record=record,
        changed_batches=imported.changed_batches,
        has_changed_products=report.changes_other_batches,
    )

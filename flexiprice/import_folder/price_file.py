"""Imports a dropped file of prices."""

from typing import BinaryIO

import msgspec

from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.price_importer import import_prices
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.import_folder.outcomes import (
    FileChanged,
    FileImportRequest,
    FileOutcome,
    record_of_rows,
    store_outcome,
)


async def import_price_file(request: FileImportRequest, content: BinaryIO) -> FileOutcome:
    """Imports a file in one transaction, which stores its record too.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        FileChanged: the file was written while it was read; nothing is imported.
    """
    file = request.file
    asked = ImportRequest(options=FileOptions(), format_name=file.detail or None)
    async with request.sessions.begin() as session:
        options, resolved = await resolve_options(session, asked)
        layout = layout_of(options, resolved, request.settings)
        report = await import_prices(session, chunks_of(content), layout, store=options.store)
        if not file.is_unchanged():
            raise FileChanged
        record = record_of_rows(
            file.place,
            file.kind or "",
            read=report.read,
            good=report.imported,
            bad=report.bad,
            report=msgspec.to_builtins(report),
        )
        await store_outcome(session, record, fingerprint=request.fingerprint, written=report.written)
    return FileOutcome(record=record, has_changed_products=bool(report.written))

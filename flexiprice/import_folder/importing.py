"""Imports one dropped file, exactly once."""

from typing import BinaryIO

from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest
from flexiprice.domain.file_import import FileImportStatus
from flexiprice.errors import Conflict, FlexiPriceError, InvalidInput
from flexiprice.import_folder.dropped_files import DroppedFile, FolderKind, open_dropped
from flexiprice.import_folder.event_file import EVENT_KINDS, import_event_file
from flexiprice.import_folder.outcomes import (
    BY_FOLDER,
    FileChanged,
    FileImportRequest,
    FileOutcome,
    store_outcome,
)
from flexiprice.import_folder.price_file import import_price_file
from flexiprice.import_folder.records import FileImportRecord, find_record
from flexiprice.import_folder.stock_file import StockFile, import_stock_file


async def import_file(request: FileImportRequest) -> FileOutcome:
    """Imports a file, or refuses it, and stores the record of that; a file with a record is not read.

    Raises:
        FileChanged: it was written while it was read; import it later.
        TransientError: PostgreSQL does not answer; try again.
        OSError: the file cannot be read.
    """
    async with request.sessions() as session:
        known = await find_record(session, request.fingerprint)
    if known is not None:
        return FileOutcome(record=known)
    file = request.file
    if file.kind is None:
        return await _refuse(request, _misplaced(file))
    try:
        with open_dropped(file) as content:
            if file.kind in EVENT_KINDS:
                return await import_event_file(request, content, EVENT_KINDS[file.kind])
            if file.kind is FolderKind.PRICES:
                return await import_price_file(request, content)
            return await _import_stock(request, content)
    except (InvalidInput, Conflict) as error:
        if not file.is_unchanged():
            raise FileChanged from None
        return await _refuse(request, error)


async def _import_stock(request: FileImportRequest, content: BinaryIO) -> FileOutcome:
    file = request.file

    def require_unchanged() -> None:
        if not file.is_unchanged():
            raise FileChanged

    stock = StockFile(
        place=file.place,
        content=content,
        request=ImportRequest(
            options=FileOptions(),
            format_name=file.detail or None,
            as_of=min(file.changed_at, request.now),
        ),
        completeness=_complete_for_its_store if file.kind is FolderKind.COMPLETE else None,
    )
    outcome, _ = await import_stock_file(
        request.sessions,
        request.settings,
        stock,
        fingerprint=request.fingerprint,
        by=BY_FOLDER,
        require_unchanged=require_unchanged,
    )
    return outcome


def _complete_for_its_store(options: FileOptions) -> CompleteStock:
    return CompleteStock(store=options.store)


async def _refuse(request: FileImportRequest, error: FlexiPriceError) -> FileOutcome:
    record = FileImportRecord(
        place=request.file.place,
        kind=request.file.kind or "",
        status=FileImportStatus.FAILED,
        error=error.message,
    )
    async with request.sessions.begin() as session:
        await store_outcome(session, record, fingerprint=request.fingerprint, written={})
    return FileOutcome(record=record)


def _misplaced(file: DroppedFile) -> InvalidInput:
    folders = ", ".join(FolderKind)
    return InvalidInput(f"{file.place} lies in no folder: drop it into one of {folders}")

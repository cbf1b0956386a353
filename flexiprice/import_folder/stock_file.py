"""Imports a file of products and batches, dropped or uploaded, or shows what the import would change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_log import AuditEvent
from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.importer import Imported, import_catalogue
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.import_folder.dropped_files import FolderKind
from flexiprice.import_folder.outcomes import MOST_NAMED, FileOutcome, record_of_rows, store_outcome
from flexiprice.settings import Settings

Sessions = async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFile:
    """A file of stock, and how to read it.

    Attributes:
        place: of the file within the watched directory, or its name.
        content: the file, open for reading; it is read from the start each time.
        request: its columns and notation.
        completeness: returns what the file is complete for, by its resolved options; None if it is not
            complete. A complete file with a bad row is refused as a whole.
    """

    place: str
    content: BinaryIO
    request: ImportRequest
    completeness: Callable[[FileOptions], CompleteStock] | None = None


async def preview_stock_file(sessions: Sessions, settings: Settings, file: StockFile) -> ImportReport:
    """Returns the report that an import would have, and writes nothing.

    Raises:
        InvalidInput: the file as a whole cannot be used.
    """
    async with sessions() as session, session.begin() as transaction:
        imported, _ = await _import(session, settings, file)
        await transaction.rollback()
    return imported.report


async def import_stock_file(
    sessions: Sessions,
    settings: Settings,
    file: StockFile,
    *,
    fingerprint: bytes,
    by: AuditEvent,
    require_unchanged: Callable[[], None] = lambda: None,
) -> tuple[FileOutcome, ImportReport]:
    """Imports the good rows of a file, and stores its record and audit entry in the same transaction.

    Args:
        sessions: of the database, for work on whole tables.
        settings: the limits and the currency.
        file: the file.
        fingerprint: of the file.
        by: who imports it.
        require_unchanged: raises if the file was written while it was read; then nothing is imported.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        Conflict: a product was deleted concurrently.
    """
    async with sessions() as session, session.begin() as transaction:
        imported, is_rejected = await _import(session, settings, file)
        require_unchanged()
        report = imported.report
        record = record_of_rows(
            file.place,
            FolderKind.STOCK if file.completeness is None else FolderKind.COMPLETE,
            read=report.read,
            good=report.imported,
            bad=report.bad,
            report=msgspec.to_builtins(report),
        )
        if is_rejected:
            await transaction.rollback()
        else:
            await store_outcome(session, record, fingerprint=fingerprint, written=report.written, by=by)
    if is_rejected:
        async with sessions.begin() as session:
            await store_outcome(session, record, fingerprint=fingerprint, written={}, by=by)
        return FileOutcome(record=record), report
    outcome = FileOutcome(
        record=record,
        changed_batches=imported.changed_batches,
        has_changed_products=report.changes_other_batches,
    )
    return outcome, report


async def _import(session: AsyncSession, settings: Settings, file: StockFile) -> tuple[Imported, bool]:
    """Imports a file; returns whether bad rows reject it as a whole, so that it must be rolled back."""
    file.content.seek(0)
    options, request = await resolve_options(session, file.request)
    imported = await import_catalogue(
        session,
        chunks_of(file.content),
        layout_of(options, request, settings),
        most_named=MOST_NAMED,
        complete=None if file.completeness is None else file.completeness(options),
    )
    is_rejected = file.completeness is not None and imported.report.bad > 0
    if is_rejected:
        imported = Imported(imported.report.of_rejected_file(), ())
    return imported, is_rejected

"""Imports a file of stock that a person uploads, or shows what the import would change."""

import os
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_log import AuditEvent
from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest, layout_of
from flexiprice.catalog.imports.files.sources import chunks_of
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.saved_mappings import resolve_options
from flexiprice.db.engine import database_errors
from flexiprice.import_folder.dropped_files import FolderKind
from flexiprice.import_folder.outcomes import MOST_NAMED, FileOutcome, record_of_rows, store_outcome
from flexiprice.import_folder.records import FileImportRecord
from flexiprice.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file that a person uploaded, and how to read it.

    Attributes:
        name: of the file.
        content: the file, open for reading; it is read from the start each time.
        options: its columns and notation.
        format_name: a known export or a saved mapping; None to match columns by their names.
        complete: if it is the whole stock of its stores.
    """

    name: str
    content: BinaryIO
    options: FileOptions
    format_name: str | None = None
    complete: CompleteStock | None = None


async def preview_upload(
    sessions: async_sessionmaker[AsyncSession], settings: Settings, upload: UploadedFile
) -> ImportReport:
    """Returns the report that an import would have, and writes nothing.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with sessions() as session, session.begin() as transaction:
            outcome, report = await _import(session, settings, upload)
            await transaction.rollback()
    return report if outcome is not None else report.of_rejected_file()


async def import_upload(
    sessions: async_sessionmaker[AsyncSession], settings: Settings, upload: UploadedFile, *, by: AuditEvent
) -> tuple[FileOutcome, ImportReport]:
    """Imports the good rows of a file, and stores its record and audit entry in the same transaction.

    A complete file with a bad row is refused as a whole.

    Args:
        sessions: of the database, for work on whole tables.
        settings: the limits and the currency.
        upload: the file.
        by: who imports it.

    Raises:
        InvalidInput: the file as a whole cannot be used.
        Conflict: a product was deleted concurrently.
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    with database_errors():
        async with sessions() as session, session.begin() as transaction:
            outcome, report = await _import(session, settings, upload)
            if outcome is None:
                await transaction.rollback()
                report = report.of_rejected_file()
                outcome = FileOutcome(record=_record_of(upload, report))
            else:
                await store_outcome(
                    session, outcome.record, fingerprint=os.urandom(32), written=report.written, by=by
                )
                return outcome, report
        async with sessions.begin() as session:
            await store_outcome(session, outcome.record, fingerprint=os.urandom(32), written={}, by=by)
    return outcome, report


async def _import(
    session: AsyncSession, settings: Settings, upload: UploadedFile
) -> tuple[FileOutcome | None, ImportReport]:
    """Imports a file; returns no outcome if bad rows reject it as a whole."""
    upload.content.seek(0)
    asked = ImportRequest(options=upload.options, format_name=upload.format_name)
    options, resolved = await resolve_options(session, asked)
    imported = await import_catalogue(
        session,
        chunks_of(upload.content),
        layout_of(options, resolved, settings),
        most_named=MOST_NAMED,
        complete=upload.complete,
    )
    report = imported.report
    if upload.complete is not None and report.bad:
        return None, report
    outcome = FileOutcome(
        record=_record_of(upload, report),
        changed_batches=imported.changed_batches,
        has_changed_products=report.changes_other_batches,
    )
    return outcome, report


def _record_of(upload: UploadedFile, report: ImportReport) -> FileImportRecord:
    kind = FolderKind.STOCK if upload.complete is None else FolderKind.COMPLETE
    return record_of_rows(
        upload.name,
        kind,
        read=report.read,
        good=report.imported,
        bad=report.bad,
        report=msgspec.to_builtins(report),
    )

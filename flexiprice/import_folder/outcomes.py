"""The outcome of importing a dropped file, and how it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_log import LONGEST_TARGET, AuditEvent, record_audit
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.domain.file_import import FileImportStatus
from flexiprice.import_folder.dropped_files import DroppedFile
from flexiprice.import_folder.records import FileImportRecord, write_record
from flexiprice.plurals import counted
from flexiprice.queue.declarations import MAX_BATCHES
from flexiprice.settings import Settings

BY_FOLDER: Final = AuditEvent(actor="import directory", source=AuditSource.FOLDER, action="import_file")
"""The audit event of a file that was dropped into the watched directory."""


MOST_NAMED: Final = MAX_BATCHES + 1
"""Changed batches that an outcome names: with more than `MAX_BATCHES`, all are repriced."""


class FileChanged(Exception):
    """The file was written while it was read; it is read again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImportRequest:
    """A dropped file, and everything that its import needs.

    Attributes:
        sessions: of the database.
        settings: the limits and the currency.
        file: the file.
        fingerprint: of the file.
        now: the current time; stock holds when the file was written, but not later than this.
    """

    sessions: async_sessionmaker[AsyncSession]
    settings: Settings
    file: DroppedFile
    fingerprint: bytes
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """The outcome of importing a file.

    Attributes:
        record: as it is stored.
        changed_batches: batches to reprice, at most `MOST_NAMED`.
        has_changed_products: whether products changed, whose other batches must be repriced too.
    """

    record: FileImportRecord
    changed_batches: tuple[int, ...] = ()
    has_changed_products: bool = False


def record_of_rows(
    place: str, kind: str, *, read: int, good: int, bad: int, report: Mapping[str, Any]
) -> FileImportRecord:
    """Returns the record of a file that was read.

    Args:
        place: of the file.
        kind: of its rows.
        read: its rows.
        good: those that were imported, now or before.
        bad: those that were not.
        report: the report of the import as JSON.
    """
    status = FileImportStatus.PARTLY if bad else FileImportStatus.IMPORTED
    error = None
    if bad and not good:
        status = FileImportStatus.FAILED
        error = f"nothing was imported: {bad:,} of {counted(read, 'row')} cannot be used"
    return FileImportRecord(place=place, kind=kind, status=status, error=error, report=report)


async def store_outcome(
    session: AsyncSession,
    record: FileImportRecord,
    *,
    fingerprint: bytes,
    written: Mapping[str, int],
    by: AuditEvent = BY_FOLDER,
) -> None:
    """Stores the record of a file and its audit entry, in the transaction of its rows.

    Args:
        session: in a transaction.
        record: the record.
        fingerprint: of the file.
        written: the numbers of written rows by kind.
        by: who imported it; target and outcome are filled in.
    """
    await write_record(session, record, fingerprint=fingerprint)
    failed = record.status is FileImportStatus.FAILED
    counts = {name: count for name, count in written.items() if count}
    if failed or counts:
        event = replace(
            by,
            target=record.place[:LONGEST_TARGET],
            details={"reason": record.error} if failed else counts,
            outcome=AuditOutcome.REFUSED if failed else AuditOutcome.DONE,
        )
        await record_audit(session, [event])

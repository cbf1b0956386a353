"""The records of imported files: the outcome of each, and which dropped file is imported already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.import_tables import FileImport
from flexiprice.db.storable import storable
from flexiprice.domain.file_import import FileImportStatus

LONGEST_NAME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImportRecord:
    """The outcome of importing a file.

    Attributes:
        place: of the file within the watched directory.
        kind: of its folder; empty if it lay beside the folders.
        status: whether its rows were imported.
        error: why the file as a whole was refused; None if it was read.
        report: the report of the import as JSON; None if the file was refused.
    """

    place: str
    kind: str
    status: FileImportStatus
    error: str | None = None
    report: Mapping[str, Any] | None = None


async def find_record(session: AsyncSession, fingerprint: bytes) -> FileImportRecord | None:
    """Returns the record of a file that was imported before."""
    columns = (FileImport.place, FileImport.kind, FileImport.status, FileImport.error, FileImport.report)
    row = (await session.execute(select(*columns).where(FileImport.fingerprint == fingerprint))).one_or_none()
    if row is None:
        return None
    place, kind, status, error, report = row
    return FileImportRecord(place=place, kind=kind, status=status, error=error, report=report)


async def write_record(session: AsyncSession, record: FileImportRecord, *, fingerprint: bytes) -> None:
    """Writes the record of a file, in the transaction of its rows."""
    values = {
        "place": str(storable(record.place))[:LONGEST_NAME],
        "kind": record.kind,
        "status": record.status,
        "error": storable(record.error),
        "report": storable(record.report),
        "fingerprint": fingerprint,
    }
    await session.execute(insert(FileImport).values(values).on_conflict_do_nothing())


async def purge_file_imports(session: AsyncSession, *, now: datetime, retention_days: int) -> int:
    """Deletes the records of files that were imported longer ago than this; returns their number."""
    old = FileImport.imported_at < now - timedelta(days=retention_days)
    return len((await session.scalars(delete(FileImport).where(old).returning(FileImport.id))).all())

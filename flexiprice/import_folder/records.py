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


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFileImport:
    """A record in a list, with the instant of the import."""

    import_id: int
    imported_at: datetime
    record: FileImportRecord


_COLUMNS = (FileImport.place, FileImport.kind, FileImport.status, FileImport.error, FileImport.report)


async def list_file_imports(session: AsyncSession, *, limit: int = 100) -> tuple[ListedFileImport, ...]:
    """Returns the latest records, the newest first, at most `limit`."""
    query = select(FileImport.id, FileImport.imported_at, *_COLUMNS)
    rows = await session.execute(
        query.order_by(FileImport.imported_at.desc(), FileImport.id.desc()).limit(limit)
    )
    return tuple(
        ListedFileImport(
            import_id=import_id,
            imported_at=imported_at,
            record=_record(place, kind, status, error, report),
        )
        for import_id, imported_at, place, kind, status, error, report in rows
    )


def _record(
    place: str, kind: str, status: FileImportStatus, error: str | None, report: Mapping[str, Any] | None
) -> FileImportRecord:
    return FileImportRecord(place=place, kind=kind, status=status, error=error, report=report)


async def find_record(session: AsyncSession, fingerprint: bytes) -> FileImportRecord | None:
    """Returns the record of a file that was imported before."""
    row = (
        await session.execute(select(*_COLUMNS).where(FileImport.fingerprint == fingerprint))
    ).one_or_none()
    return None if row is None else _record(*row)


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

"""Imports every complete file of the watched directory, one after the other."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.clock import database_now
from flexiprice.db.locks import Lock, try_acquire
from flexiprice.domain.file_import import FileImportStatus
from flexiprice.errors import InvalidSettings
from flexiprice.import_folder.dropped_files import DroppedFile, create_folders, find_dropped, fingerprint
from flexiprice.import_folder.importing import import_file
from flexiprice.import_folder.outcomes import FileChanged, FileImportRequest, FileOutcome
from flexiprice.import_folder.records import FileImportRecord
from flexiprice.import_folder.results import finish
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
MAX_FILES = 1000
"""Files of one run; the next run takes the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSummary:
    """The outcome of one run.

    Attributes:
        imported: files of which every row was imported.
        partly: files with some bad rows.
        failed: files of which nothing was imported.
        skipped: files that were written while they were read; the next run takes them.
        is_busy: another run is at work; this one did nothing.
    """

    imported: int = 0
    partly: int = 0
    failed: int = 0
    skipped: int = 0
    is_busy: bool = False


async def import_folder(
    sessions: async_sessionmaker[AsyncSession],
    settings: Settings,
    *,
    on_imported: Callable[[FileOutcome], Awaitable[None]],
    on_progress: Callable[[int, int, str], None],
) -> FolderSummary:
    """Imports the complete files and moves each to `done` or `failed`, with its report.

    Killed anywhere, it imports no file twice: the record of a file is stored with its rows, and a file with a
    record is only moved.

    Args:
        sessions: of the database.
        settings: with the directory.
        on_imported: is called after each commit.
        on_progress: receives the number of finished files, that of all, and the current file.

    Raises:
        InvalidSettings: the directory, or a file in it, cannot be read or written. The other files are
            imported.
        TransientError: PostgreSQL does not answer; try again.
    """
    directory = settings.import_directory
    if directory is None:
        raise InvalidSettings("FLEXIPRICE_IMPORT_DIRECTORY is not set")
    async with sessions.begin() as guard:
        # One run at a time; the lock ends with the connection of a killed worker.
        if not await try_acquire(guard, Lock.IMPORT_FOLDER):
            return FolderSummary(is_busy=True)
        now = await database_now(guard)
        found = await asyncio.to_thread(_find, directory, settings.import_settle)
        counts = dict.fromkeys(FileImportStatus, 0)
        troubles: list[str] = []
        skipped = 0
        for number, file in enumerate(found[:MAX_FILES]):
            on_progress(number, len(found), file.place)
            try:
                outcome = await _import_one(sessions, settings, file, now=now)
                await on_imported(outcome)
                target = await asyncio.to_thread(finish, directory, file, outcome.record)
            except FileChanged:
                skipped += 1
                continue
            except OSError as error:
                troubles.append(f"{file.place}: {error.strerror or error}")
                continue
            counts[outcome.record.status] += 1
            _log(outcome.record, target)
    if troubles:
        raise InvalidSettings(
            f"files of {directory} cannot be read or moved: {'; '.join(troubles[:5])}. Give the user of the "
            "worker the right to read and write there"
        )
    return FolderSummary(
        imported=counts[FileImportStatus.IMPORTED],
        partly=counts[FileImportStatus.PARTLY],
        failed=counts[FileImportStatus.FAILED],
        skipped=skipped,
    )


async def _import_one(
    sessions: async_sessionmaker[AsyncSession],
    settings: Settings,
    file: DroppedFile,
    *,
    now: datetime,
) -> FileOutcome:
    digest = await asyncio.to_thread(fingerprint, file)
    if not file.is_unchanged():
        raise FileChanged
    return await import_file(
        FileImportRequest(
            sessions=sessions,
            settings=settings,
            file=file,
            fingerprint=digest,
            now=now,
        )
    )


def _find(directory: Path, settle: timedelta) -> list[DroppedFile]:
    try:
        create_folders(directory)
        return find_dropped(directory, settled_for=settle.total_seconds())
    except OSError as error:
        raise InvalidSettings(
            f"FLEXIPRICE_IMPORT_DIRECTORY {directory} cannot be used: {error.strerror or error}. Create it, "
            "and give the user of the worker the right to read and write there"
        ) from None


def _log(record: FileImportRecord, target: Path) -> None:
    log = _LOGGER.warning if record.status is FileImportStatus.FAILED else _LOGGER.info
    facts = {"file": record.place, "status": record.status.value, "error": record.error}
    log("file_imported", **facts, moved_to=str(target))

"""Makes records of runs, bounded and with secrets masked, and writes them."""

import asyncio
import traceback
from collections.abc import Sequence
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.db.sqlstate import BAD_VALUE, CONSTRAINT_VIOLATION, sqlstate_of
from flexiprice.domain.run import RunStatus
from flexiprice.errors import DatabaseUnavailable
from flexiprice.queue.redaction import masked_result, redact, redact_text
from flexiprice.queue.status import describe_error
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.runs.recording import MAX_TRACEBACK_LENGTH, RunRecord, record_runs
from flexiprice.telemetry import get_logger
from workers.runtime.recording.run_events import RunFinished

_LOGGER = get_logger(__name__)
_WRITE_SECONDS: Final = 20.0
# Error classes for values that the database can never store.
_REFUSED: Final = (BAD_VALUE, CONSTRAINT_VIOLATION)


async def write_records(sessions: async_sessionmaker[AsyncSession], records: Sequence[RunRecord]) -> int:
    """Writes records in one statement; splits it if the database rejects a record.

    Returns:
        Number of rejected records; the log names them.

    Raises:
        DatabaseUnavailable: the database does not accept them now.
    """
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            with database_errors():
                async with sessions.begin() as session:
                    await record_runs(session, records)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if not _is_permanent(error):
            raise DatabaseUnavailable(str(error) or "the database does not answer in time") from error
        if len(records) == 1:
            _LOGGER.exception("run_not_recorded", job_id=records[0].job_id, task=records[0].task)
            return 1
        # One rejected record must not block the others.
        middle = len(records) // 2
        return await write_records(sessions, records[:middle]) + await write_records(
            sessions, records[middle:]
        )
    return 0


def _is_permanent(error: Exception) -> bool:
    """Whether the records themselves are at fault, so that a retry cannot help."""
    if isinstance(error, DBAPIError):
        return sqlstate_of(error.orig).startswith(_REFUSED)
    return isinstance(error, (TypeError, ValueError, RecursionError))


# Bounds the search for secrets in long texts.
_MAX_SEARCH_LENGTH: Final = 2 * MAX_TRACEBACK_LENGTH


def record_of(run: RunInfo, end: RunFinished | None) -> RunRecord:
    """Returns the record of a run; a running one if `end` is None."""
    error = None if end is None or end.error is None else describe_error(end.error)
    return RunRecord(
        run_id=run.run_id,
        task=run.task,
        job_id=run.job_id,
        worker_id=run.worker_id,
        attempt=run.attempt,
        status=RunStatus.RUNNING if end is None else end.status,
        started_at=run.started_at,
        queue=run.queue,
        trigger=run.source.trigger,
        parent_job_id=run.source.parent_job_id,
        request_id=run.source.request_id,
        arguments=redact(run.arguments) if run.arguments else {},
        enqueued_at=run.enqueued_at,
        due_at=run.due_at if run.due_at > run.enqueued_at else None,
        # Start and end come from different clocks.
        finished_at=None if end is None else max(end.finished_at, run.started_at),
        result=None if end is None else masked_result(end.result),
        error_code=None if error is None else error.code,
        error_message=None if error is None else redact_text(error.message),
        traceback=None if end is None or end.error is None else _traceback(end.error),
    )


def _traceback(error: BaseException) -> str | None:
    if error.__traceback__ is None:
        # It was never raised.
        return None
    text = "".join(traceback.format_exception(error))
    if len(text) > _MAX_SEARCH_LENGTH:
        # Drops the first, cut line, which may contain half a secret.
        text = text[-_MAX_SEARCH_LENGTH:].partition("\n")[2]
    return redact_text(text)

"""Completion receipts: committed in one transaction with a job's effects, so that these happen once.

A worker may die after the commit and before the acknowledgement. The job then runs again, finds the
receipt, and returns its result. The idempotency key is the job's id with the instant of its enqueueing,
because an id may be reused. The writer defines the content of a receipt. The API keeps its answers to
requests with an `Idempotency-Key` as receipts, too.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import CompletionRecord, RegisteredWorker
from flexiprice.errors import JobAlreadyDone, WorkerFenced

# Built once, of plain tables: every task runs two of these, and building one took longer than running it.
_receipts = cast("Table", CompletionRecord.__table__)
_workers = cast("Table", RegisteredWorker.__table__)
_THIS_JOB: Final = (_receipts.c.job_id == bindparam("job_id")) & (
    _receipts.c.enqueued_at == bindparam("enqueued_at")
)
_BEGIN: Final = (
    select(_workers.c.lost_at, _receipts.c.result, _receipts.c.written_at)
    .select_from(_workers.outerjoin(_receipts, _THIS_JOB))
    .where(_workers.c.id == bindparam("worker_id"))
    # A row lock instead of an advisory one: PostgreSQL reads the row again after waiting for the lock.
    .with_for_update(read=True, of=_workers)
)
_FIND: Final = select(_receipts.c.result, _receipts.c.written_at).where(_THIS_JOB)
_WRITE: Final = (
    insert(_receipts)
    .values({name: bindparam(name) for name in ("job_id", "enqueued_at", "result")})
    .on_conflict_do_nothing()
    .returning(_receipts.c.job_id)
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The committed result of a job, and the instant of the commit."""

    result: bytes
    written_at: datetime


async def begin_task(
    session: AsyncSession, *, worker_id: str, job_id: str, enqueued_at: datetime
) -> Receipt | None:
    """Begins a task's transaction: checks the fence and looks for the job's receipt.

    Must be its first statement. The worker cannot be declared dead until the transaction ends; see `fencing`.

    Returns:
        The receipt of this job, if its effects are committed: the caller returns its result and does no work.

    Raises:
        WorkerFenced: the worker was declared dead, or never registered. It must end, or register under a
            new id.
    """
    parameters = {"worker_id": worker_id, "job_id": job_id, "enqueued_at": enqueued_at}
    row = (await session.execute(_BEGIN, parameters)).one_or_none()
    if row is None:
        raise WorkerFenced(f"worker {worker_id} is not registered", worker_id=worker_id)
    # The outer join makes columns nullable, which their types do not show.
    lost_at, result, written_at = cast("tuple[datetime | None, bytes | None, datetime]", tuple(row))
    if lost_at is not None:
        raise WorkerFenced(
            f"worker {worker_id} was declared dead at {lost_at.isoformat()}", worker_id=worker_id
        )
    return None if result is None else Receipt(result, written_at)


async def find_receipt(session: AsyncSession, *, job_id: str, enqueued_at: datetime) -> Receipt | None:
    """Returns the receipt of a job, if its effects are committed."""
    row = (await session.execute(_FIND, {"job_id": job_id, "enqueued_at": enqueued_at})).one_or_none()
    return None if row is None else Receipt(*row)


async def write_receipt(session: AsyncSession, *, job_id: str, enqueued_at: datetime, result: bytes) -> None:
    """Writes the receipt of a job; must be the last statement of a task's transaction.

    If another run of the same job is about to commit, this waits for its end.

    Raises:
        JobAlreadyDone: another run has committed. Roll this transaction back and return the result of the
            other's receipt.
    """
    receipt = {"job_id": job_id, "enqueued_at": enqueued_at, "result": result}
    if await session.scalar(_WRITE, receipt) is None:
        raise JobAlreadyDone(f"another run of job {job_id} has committed its effects", job_id=job_id)


async def purge_receipts(session: AsyncSession, *, before: datetime) -> int:
    """Deletes the receipts that were written before an instant; returns their number.

    A job that ran before that instant must not run again: its effects would happen twice.
    """
    deleted = (
        delete(CompletionRecord)
        .where(CompletionRecord.written_at < before)
        .returning(CompletionRecord.job_id)
        .cte()
    )
    return await session.scalar(select(func.count()).select_from(deleted)) or 0

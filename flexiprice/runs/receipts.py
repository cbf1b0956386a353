"""Receipts of jobs: committed together with a job's effects, so that they happen once.

A worker may die after it committed and before it said so; its job then runs again, finds the receipt,
and gives the result that stands there. A job is known by its id and the instant at which it was
enqueued, because an id may be used again. What stands in a receipt is its writer's affair.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import CompletionRecord, RegisteredWorker
from flexiprice.errors import JobAlreadyDone, WorkerFenced

# Made once and of plain tables: every task runs two of these, and building one took longer than running it.
_receipts = cast("Table", CompletionRecord.__table__)
_workers = cast("Table", RegisteredWorker.__table__)
_THIS_JOB: Final = (_receipts.c.job_id == bindparam("job_id")) & (
    _receipts.c.enqueued_at == bindparam("enqueued_at")
)
_BEGIN: Final = (
    select(_workers.c.lost_at, _receipts.c.result, _receipts.c.written_at)
    .select_from(_workers.outerjoin(_receipts, _THIS_JOB))
    .where(_workers.c.id == bindparam("worker_id"))
    # A lock on the row and not an advisory one: after waiting for it, PostgreSQL looks at the row anew.
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
    """What a job came to, and when that was committed."""

    result: bytes
    written_at: datetime


async def begin_task(
    session: AsyncSession, *, worker_id: str, job_id: str, enqueued_at: datetime
) -> Receipt | None:
    """The first statement of a task's transaction: whether it may go on, and whether it need not.

    Until the transaction ends, the worker cannot be declared lost; see `worker_fence`.

    Returns:
        The receipt of this very job, whose result is to be given without doing anything again.

    Raises:
        WorkerFenced: the worker was declared lost, or never registered. It must end, or go on under a
            new id.
    """
    known = {"worker_id": worker_id, "job_id": job_id, "enqueued_at": enqueued_at}
    row = (await session.execute(_BEGIN, known)).one_or_none()
    if row is None:
        raise WorkerFenced(f"worker {worker_id} is not registered", worker_id=worker_id)
    # Of an outer join, which the types of the columns do not know.
    lost_at, result, written_at = cast("tuple[datetime | None, bytes | None, datetime]", tuple(row))
    if lost_at is not None:
        raise WorkerFenced(
            f"worker {worker_id} counts as lost since {lost_at.isoformat()}", worker_id=worker_id
        )
    return None if result is None else Receipt(result, written_at)


async def find_receipt(session: AsyncSession, *, job_id: str, enqueued_at: datetime) -> Receipt | None:
    """The receipt of a job, if its effects are committed."""
    row = (await session.execute(_FIND, {"job_id": job_id, "enqueued_at": enqueued_at})).one_or_none()
    return None if row is None else Receipt(*row)


async def write_receipt(session: AsyncSession, *, job_id: str, enqueued_at: datetime, result: bytes) -> None:
    """The last statement of a task's transaction: says that the job is done, and what it came to.

    Where another run of the same job is about to commit, this waits for its end.

    Raises:
        JobAlreadyDone: another run has committed; this transaction must be rolled back, and the other's
            receipt gives the result.
    """
    receipt = {"job_id": job_id, "enqueued_at": enqueued_at, "result": result}
    if await session.scalar(_WRITE, receipt) is None:
        raise JobAlreadyDone(f"another run of job {job_id} has committed its effects", job_id=job_id)


async def purge_receipts(session: AsyncSession, *, before: datetime) -> int:
    """Deletes the receipts that were written before an instant; returns how many.

    A job that ran before then must not run again: its effects would happen twice.
    """
    gone = (
        delete(CompletionRecord)
        .where(CompletionRecord.written_at < before)
        .returning(CompletionRecord.job_id)
        .cte()
    )
    return await session.scalar(select(func.count()).select_from(gone)) or 0

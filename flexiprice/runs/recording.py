"""Writes run records of workers to the database; idempotent and independent of their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from sqlalchemy import (
    JSON,
    Table,
    Text,
    and_,
    bindparam,
    case,
    column,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.db.storable import storable
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.errors import WorkerLost

MAX_MESSAGE_LENGTH: Final = 2_000
"""Longest stored error message in characters; the end is cut."""
MAX_TRACEBACK_LENGTH: Final = 16_000
"""Longest stored traceback in characters; the start is cut, because the cause stands at the end."""
MAX_NAME_LENGTH: Final = 200
"""Longest stored name or id in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The facts of a run at one moment; a later record repeats the facts of earlier ones.

    Attributes:
        run_id: id that the worker generates for each attempt.
        task: name of the task.
        job_id: job of which this run is an attempt.
        worker_id: worker that runs it.
        attempt: number of the attempt, from 1; 0 if the job ended without being started.
        status: status of the run.
        started_at: when it began.
        queue: queue of the job.
        trigger: cause of the enqueueing; None if unknown.
        parent_job_id: job that this one retries, or that enqueued it.
        request_id: API request that enqueued the job.
        arguments: arguments by name, already redacted and bounded; None if unknown.
        enqueued_at: when the job was enqueued.
        due_at: when it was due, if later than that: a deferred job, a retry, a schedule's tick.
        finished_at: when it ended; given if and only if `status` is final.
        result: return value of the task as JSON, already redacted and bounded.
        error_code: code of the error with which it ended.
        error_message: message of that error, already redacted.
        traceback: traceback of the exception, already redacted.
    """

    run_id: UUID
    task: str
    job_id: str
    worker_id: str
    attempt: int
    status: RunStatus
    started_at: datetime
    queue: str | None = None
    trigger: RunTrigger | None = None
    parent_job_id: str | None = None
    request_id: str | None = None
    arguments: Mapping[str, object] | None = None
    enqueued_at: datetime | None = None
    due_at: datetime | None = None
    finished_at: datetime | None = None
    result: object = None
    error_code: str | None = None
    error_message: str | None = None
    traceback: str | None = None

    def __post_init__(self) -> None:
        if (self.status is RunStatus.RUNNING) != (self.finished_at is None):
            raise ValueError("finished_at: must be given if and only if the run has ended")


LOST_MESSAGE: Final = "the worker that ran it died"


async def record_runs(session: AsyncSession, records: Sequence[RunRecord]) -> None:
    """Writes many records by one statement.

    Records may arrive late, repeatedly and in any order. A late start never undoes an end, and the first
    recorded end stays. Only `lost`, which another worker concludes, gives way to the worker's own record.
    """
    latest: dict[UUID, RunRecord] = {}
    for record in records:
        known = latest.get(record.run_id)
        if known is None or _weight(record.status) > _weight(known.status):
            latest[record.run_id] = record
    if latest:
        await session.execute(_UPSERT, {"records": _encoded(list(latest.values()))})


async def mark_runs_lost(session: AsyncSession, worker_id: str, *, now: datetime) -> int:
    """Marks all runs recorded as running on a dead worker as lost; returns their number."""
    lost = (
        update(TaskRun)
        .where(TaskRun.worker_id == worker_id, TaskRun.status == RunStatus.RUNNING)
        .values(
            status=RunStatus.LOST,
            finished_at=func.greatest(TaskRun.started_at, now),
            error_code=WorkerLost.code,
            error_message=LOST_MESSAGE,
        )
        .returning(TaskRun.run_id)
        .cte()
    )
    return await session.scalar(select(func.count()).select_from(lost)) or 0


async def find_workers_of_running(session: AsyncSession) -> tuple[str, ...]:
    """Returns the ids of the workers of all runs that are recorded as running."""
    query = select(TaskRun.worker_id).where(TaskRun.status == RunStatus.RUNNING).distinct()
    return tuple(await session.scalars(query))


async def purge_runs(session: AsyncSession, *, before: datetime) -> int:
    """Deletes the runs that began before an instant; returns their number. A million take some seconds."""
    deleted = delete(TaskRun).where(TaskRun.started_at < before).returning(TaskRun.run_id).cte()
    return await session.scalar(select(func.count()).select_from(deleted)) or 0


def _weight(status: RunStatus) -> int:
    return {RunStatus.RUNNING: 0, RunStatus.LOST: 1}.get(status, 2)


def _upsert() -> Insert:
    # The plain table: the ORM treats every INSERT with parameters as a bulk insert of rows.
    table = cast("Table", TaskRun.__table__)
    records = func.json_to_recordset(sql_cast(bindparam("records", type_=Text), JSON))
    new_rows = records.table_valued(
        *(column(each.name, each.type) for each in table.columns), name="new_rows"
    )
    insertion = insert(table).from_select(
        [each.name for each in table.columns],
        # One lock order for all writers, so that two with the same runs never deadlock.
        select(*new_rows.render_derived(with_types=True).c).order_by("run_id"),
    )
    new = insertion.excluded
    running, lost = RunStatus.RUNNING, RunStatus.LOST
    # `_weight` in SQL.
    better = or_(
        and_(TaskRun.status == running, new.status != running),
        and_(TaskRun.status == lost, new.status.not_in((running, lost))),
    )
    outcome = {
        name: case((better, new[name]), else_=table.c[name])
        for name in ("status", "finished_at", "result", "error_code", "error_message", "traceback")
    }
    # A record of an orphaned run, made by another worker, may lack these.
    facts = {
        name: func.coalesce(table.c[name], new[name])
        for name in ("queue", "trigger", "parent_job_id", "request_id", "arguments", "enqueued_at", "due_at")
    }
    return insertion.on_conflict_do_update(index_elements=[TaskRun.run_id], set_={**outcome, **facts})


def _encoded(records: Sequence[RunRecord]) -> str:
    rows = [_row(record) for record in records]
    try:
        encoded = msgspec.json.encode(rows)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(storable(rows))
    if b"\\u0000" in encoded:
        encoded = msgspec.json.encode(storable(rows))
    return encoded.decode()


def _row(record: RunRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _FIELDS}
    for name in ("task", "job_id", "worker_id", "queue", "parent_job_id", "request_id", "error_code"):
        if row[name] is not None:
            row[name] = row[name][:MAX_NAME_LENGTH]
    if record.error_message is not None:
        row["error_message"] = record.error_message[:MAX_MESSAGE_LENGTH]
    if record.traceback is not None:
        row["traceback"] = record.traceback[-MAX_TRACEBACK_LENGTH:]
    return row


_FIELDS: Final = tuple(field.name for field in fields(RunRecord))
_UPSERT: Final = _upsert()

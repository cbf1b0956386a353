"""Records runs: what workers say of them, in whatever order it comes, and how often it comes."""

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
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.errors import WorkerLost

MAX_MESSAGE_LENGTH: Final = 2_000
"""Characters that are kept of an error's message, from its start."""
MAX_TRACEBACK_LENGTH: Final = 16_000
"""Characters that are kept of a traceback, from its end, where the cause is."""
MAX_NAME_LENGTH: Final = 200
"""Characters that are kept of any name or id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run at some moment; a later record of it repeats what an earlier one said.

    Attributes:
        run_id: made by the worker, new for each attempt.
        task: the task's name.
        job_id: the job that it is an attempt of.
        worker_id: who runs it.
        attempt: its number among the job's attempts, from 1; 0 where the job ended without being started.
        state: how it stands.
        started_at: when it began.
        queue: where the job waited.
        trigger: what had the job enqueued; None where that is not known.
        parent_job_id: the job that this one is a new try of, or that enqueued it.
        request_id: the API request that enqueued it.
        arguments: by name, masked and bounded already; None where they are not known.
        enqueued_at: when the job was enqueued.
        due_at: when it was to start, where that is later: a deferred job, a retry, a schedule's tick.
        finished_at: when it ended; given exactly where `state` is final.
        result: what the task returned as JSON, masked and bounded already.
        error_code: why it ended otherwise.
        error_message: the same for a person, masked already.
        traceback: of the exception, masked already.
    """

    run_id: UUID
    task: str
    job_id: str
    worker_id: str
    attempt: int
    state: RunStatus
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
        if (self.state is RunStatus.RUNNING) != (self.finished_at is None):
            raise ValueError("finished_at: must be given exactly where the run has ended")


LOST_MESSAGE: Final = "the worker that ran it is gone"


async def record_runs(session: AsyncSession, records: Sequence[RunRecord]) -> None:
    """Writes many records by one statement.

    They may come late, repeatedly and in any order: an end is never undone by a start that comes after
    it, and the first end that is told stays. Only `lost`, which others conclude of a worker, gives way
    to what the worker itself has to tell.
    """
    latest: dict[UUID, RunRecord] = {}
    for record in records:
        known = latest.get(record.run_id)
        if known is None or _weight(record.state) > _weight(known.state):
            latest[record.run_id] = record
    if latest:
        await session.execute(_UPSERT, {"records": _encoded(list(latest.values()))})


async def mark_runs_lost(session: AsyncSession, worker_id: str, *, now: datetime) -> int:
    """Ends all runs that are recorded as running on a worker that is gone; returns how many."""
    lost = (
        update(TaskRun)
        .where(TaskRun.worker_id == worker_id, TaskRun.state == RunStatus.RUNNING)
        .values(
            state=RunStatus.LOST,
            finished_at=func.greatest(TaskRun.started_at, now),
            error_code=WorkerLost.code,
            error_message=LOST_MESSAGE,
        )
        .returning(TaskRun.run_id)
        .cte()
    )
    return await session.scalar(select(func.count()).select_from(lost)) or 0


async def find_workers_of_running(session: AsyncSession) -> tuple[str, ...]:
    """The workers of all runs that are recorded as running."""
    query = select(TaskRun.worker_id).where(TaskRun.state == RunStatus.RUNNING).distinct()
    return tuple(await session.scalars(query))


async def purge_runs(session: AsyncSession, *, before: datetime) -> int:
    """Deletes the runs that began before an instant; returns how many. A million take some seconds."""
    gone = delete(TaskRun).where(TaskRun.started_at < before).returning(TaskRun.run_id).cte()
    return await session.scalar(select(func.count()).select_from(gone)) or 0


def _weight(state: RunStatus) -> int:
    return {RunStatus.RUNNING: 0, RunStatus.LOST: 1}.get(state, 2)


def _upsert() -> Insert:
    # The table itself: the ORM takes every insertion with parameters for one of rows.
    table = cast("Table", TaskRun.__table__)
    records = func.json_to_recordset(sql_cast(bindparam("records", type_=Text), JSON))
    told = records.table_valued(*(column(each.name, each.type) for each in table.columns), name="told")
    insertion = insert(table).from_select(
        [each.name for each in table.columns],
        # Two that write the same runs at once take their rows in the same order, and never wait in a ring.
        select(*told.render_derived(with_types=True).c).order_by("run_id"),
    )
    new = insertion.excluded
    running, lost = RunStatus.RUNNING, RunStatus.LOST
    # `_weight` in SQL.
    better = or_(
        and_(TaskRun.state == running, new.state != running),
        and_(TaskRun.state == lost, new.state.not_in((running, lost))),
    )
    outcome = {
        name: case((better, new[name]), else_=table.c[name])
        for name in ("state", "finished_at", "result", "error_code", "error_message", "traceback")
    }
    # What whoever found the worker gone could not know.
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
        encoded = msgspec.json.encode(_storable(rows))
    if b"\\u0000" in encoded:
        encoded = msgspec.json.encode(_storable(rows))
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


def _storable(value: object) -> object:
    """The same without the two kinds of characters that PostgreSQL cannot hold: NUL and half a pair."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case Mapping():
            entries = cast("Mapping[object, object]", value)
            return {_storable(name): _storable(item) for name, item in entries.items()}
        case list() | tuple():
            return [_storable(item) for item in cast("Sequence[object]", value)]
        case _:
            return value


_FIELDS: Final = tuple(field.name for field in fields(RunRecord))
_UPSERT: Final = _upsert()

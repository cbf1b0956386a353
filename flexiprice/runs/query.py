"""Queries of the run history: filtered, page by page, latest run first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, Text, bindparam, cast, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.errors import NotFound

MAX_LISTED_RUNS: Final = 501
"""Upper limit of one query: a page of 500, and one more that shows whether a next page exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recorded run.

    Attributes:
        run_id: id of the run.
        task: name of the task.
        job_id: job of which this run is an attempt.
        queue: queue of the job.
        worker_id: worker that ran it; empty if the job was revoked before a worker claimed it.
        attempt: number of the attempt, from 1; 0 if the job ended without being started.
        status: status of the run.
        trigger: cause of the enqueueing; None if unknown.
        parent_job_id: job that this one retries, or that enqueued it.
        request_id: API request that enqueued the job.
        arguments: arguments by name, bounded, secrets redacted; None if unknown.
        enqueued_at: when the job was enqueued.
        due_at: when the job was due, if later than that.
        started_at: when the run began.
        finished_at: when the run ended.
        result: return value of the task, as JSON, bounded.
        error_code: code of the error with which it ended.
        error_message: message of that error.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: str | None
    worker_id: str
    attempt: int
    status: RunStatus
    trigger: RunTrigger | None
    parent_job_id: str | None
    request_id: str | None
    arguments: dict[str, Any] | None
    enqueued_at: datetime | None
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    result: object
    error_code: str | None
    error_message: str | None

    @property
    def waited(self) -> timedelta | None:
        """Time from when the job was due to its start; never negative, even if clocks differ."""
        due_at = self.due_at or self.enqueued_at
        return None if due_at is None else max(self.started_at - due_at, timedelta(0))

    @property
    def ran(self) -> timedelta | None:
        """Time from start to end; None while it runs."""
        return None if self.finished_at is None else max(self.finished_at - self.started_at, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails(Run):
    """A run with its traceback.

    Attributes:
        traceback: traceback of the exception with which it ended.
    """

    traceback: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A filter of runs; a run must meet every given condition.

    Attributes:
        task: name of the task.
        queue: name of the queue.
        statuses: the run has one of these.
        worker_id: worker of the run.
        since: the run began at this instant or later.
        until: the run began before this instant.
        text: contained in the arguments, error code or error message, in any case.
    """

    task: str | None = None
    queue: str | None = None
    statuses: Collection[RunStatus] = ()
    worker_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


_ANY: Final = RunFilter()
RUN_FIELDS: Final = tuple(
    column for column in TaskRun.__table__.columns if column is not TaskRun.__table__.c.traceback
)
"""The columns of a `Run`."""


async def list_runs(
    session: AsyncSession,
    wanted: RunFilter = _ANY,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> tuple[Run, ...]:
    """Lists a page of runs, latest first.

    Args:
        session: in a transaction.
        wanted: filter of the runs.
        after: `started_at` and `run_id` of the last run of the previous page.
        limit: page size, up to `MAX_LISTED_RUNS`.
    """
    query = (
        select(*RUN_FIELDS)
        .where(*run_conditions(wanted))
        .order_by(TaskRun.started_at.desc(), TaskRun.run_id.desc())
        .limit(min(limit, MAX_LISTED_RUNS))
    )
    if after is not None:
        query = query.where(tuple_(TaskRun.started_at, TaskRun.run_id) < after)
    return tuple(Run(**row) for row in (await session.execute(query)).mappings())


async def get_run(session: AsyncSession, run_id: UUID) -> RunDetails:
    """Reads one run.

    Raises:
        NotFound: the run does not exist, or its retention has ended.
    """
    found = await _details(session, select(TaskRun.__table__).where(TaskRun.run_id == run_id))
    if not found:
        raise NotFound(f"there is no run {run_id}, or it is no longer kept", field="run_id")
    return found[0]


async def list_attempts(session: AsyncSession, job_id: str, *, limit: int = 100) -> tuple[RunDetails, ...]:
    """Lists the runs of a job, latest first, with those of an earlier job of the same id.

    Empty if no run was recorded, or the retention of all has ended.
    """
    query = (
        select(TaskRun.__table__)
        .where(TaskRun.job_id == job_id)
        .order_by(TaskRun.started_at.desc(), TaskRun.run_id.desc())
        .limit(min(limit, MAX_LISTED_RUNS))
    )
    return await _details(session, query)


async def _details(session: AsyncSession, query: Select[Any]) -> tuple[RunDetails, ...]:
    return tuple(RunDetails(**row) for row in (await session.execute(query)).mappings())


def run_conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    """Returns a filter as SQL conditions."""
    equal = {TaskRun.task: wanted.task, TaskRun.queue: wanted.queue, TaskRun.worker_id: wanted.worker_id}
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if wanted.statuses:
        # Literals let the planner see that a partial index covers these statuses.
        statuses: BindParameter[RunStatus] = bindparam(
            "statuses", sorted(set(wanted.statuses)), expanding=True, literal_execute=True
        )
        conditions.append(TaskRun.status.in_(statuses))
    if wanted.since is not None:
        conditions.append(TaskRun.started_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(TaskRun.started_at < wanted.until)
    if wanted.text:
        searched = (cast(TaskRun.arguments, Text), TaskRun.error_code, TaskRun.error_message)
        conditions.append(or_(*(field.icontains(wanted.text, autoescape=True) for field in searched)))
    return conditions

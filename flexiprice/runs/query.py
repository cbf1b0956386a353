"""The run history: found by what a person asks for, page by page, the latest run first."""

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
"""Runs that are read at once at most: a page of 500, and one more to know whether it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it was recorded.

    Attributes:
        run_id: its own.
        task: the task's name.
        job_id: the job that it is an attempt of.
        queue: where the job waited.
        worker_id: who ran it; empty where the job was called off before any worker had it.
        attempt: its number among the job's attempts, from 1; 0 where the job ended without being started.
        state: how it stands.
        trigger: what had the job enqueued; None where that is not known.
        parent_job_id: the job that this one is a new try of, or that enqueued it.
        request_id: the API request that enqueued it.
        arguments: by name, bounded, secrets hidden; None where they are not known.
        enqueued_at: when the job was enqueued.
        due_at: when it was to start, where that is later.
        started_at: when the run began.
        finished_at: when it ended.
        result: what the task returned, as JSON, bounded.
        error_code: why it ended otherwise.
        error_message: the same for a person.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: str | None
    worker_id: str
    attempt: int
    state: RunStatus
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
        """From when it was to start until it did; never negative, whatever the machines' clocks say."""
        due_at = self.due_at or self.enqueued_at
        return None if due_at is None else max(self.started_at - due_at, timedelta(0))

    @property
    def ran(self) -> timedelta | None:
        """From start to end; None while it runs."""
        return None if self.finished_at is None else max(self.finished_at - self.started_at, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails(Run):
    """A run with all that is known of it.

    Attributes:
        traceback: of the exception with which it ended.
    """

    traceback: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are asked for: those that meet everything that is given.

    Attributes:
        task: of the task with this name.
        queue: from this queue.
        states: in one of these.
        worker_id: on this worker.
        since: that began at this instant or later.
        until: that began before this instant.
        text: that have it, in any case, in their arguments, error code or error message.
    """

    task: str | None = None
    queue: str | None = None
    states: Collection[RunStatus] = ()
    worker_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


_ANY: Final = RunFilter()
RUN_FIELDS: Final = tuple(
    column for column in TaskRun.__table__.columns if column is not TaskRun.__table__.c.traceback
)
"""The columns of which a `Run` is made."""


async def list_runs(
    session: AsyncSession,
    wanted: RunFilter = _ANY,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> tuple[Run, ...]:
    """A page of runs, the latest first.

    Args:
        session: in a transaction.
        wanted: which.
        after: `started_at` and `run_id` of the last run already read.
        limit: at most so many, up to `MAX_LISTED_RUNS`.
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
    """One run.

    Raises:
        NotFound: there is no such run, or it is no longer kept.
    """
    found = await _details(session, select(TaskRun.__table__).where(TaskRun.run_id == run_id))
    if not found:
        raise NotFound(f"there is no run {run_id}, or it is no longer kept", field="run_id")
    return found[0]


async def list_attempts(session: AsyncSession, job_id: str, *, limit: int = 100) -> tuple[RunDetails, ...]:
    """The runs of a job, the latest first; those of an earlier job that had the same id included.

    Empty where none was recorded, or none is kept any longer.
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
    """What a run has to meet, as conditions of a statement."""
    equal = {TaskRun.task: wanted.task, TaskRun.queue: wanted.queue, TaskRun.worker_id: wanted.worker_id}
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if wanted.states:
        # As constants, so that the planner sees where the partial index has them all.
        states: BindParameter[RunStatus] = bindparam(
            "states", sorted(set(wanted.states)), expanding=True, literal_execute=True
        )
        conditions.append(TaskRun.state.in_(states))
    if wanted.since is not None:
        conditions.append(TaskRun.started_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(TaskRun.started_at < wanted.until)
    if wanted.text:
        searched = (cast(TaskRun.arguments, Text), TaskRun.error_code, TaskRun.error_message)
        conditions.append(or_(*(field.icontains(wanted.text, autoescape=True) for field in searched)))
    return conditions

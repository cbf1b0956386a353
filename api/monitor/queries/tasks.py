"""Queries of the tasks page: jobs from Redis and runs from PostgreSQL, either of which may be unavailable."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from api.monitor.queries.task_query import TaskQuery
from api.monitor.queries.task_rows import Row, row_of_job, row_of_run, with_text
from api.monitor.timeouts import with_timeout
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.arguments import find_arguments
from flexiprice.queue.admin.inspect import list_active, list_deferred, list_waiting
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.resources import Resources
from flexiprice.runs.pages import RunCounts, RunPage, RunPlace, count_runs, read_run_page

LIVE_ROWS: Final = 100
"""Maximum number of waiting jobs on the page; the longest-waiting are shown."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of tasks.

    Attributes:
        rows: current jobs, then recorded runs.
        previous: position of the previous page; None if there is none.
        next: position of the next page; None if there is none.
        failures: sources that could not be read, with the reason.
    """

    rows: list[Row]
    previous: RunPlace | None = None
    next: RunPlace | None = None
    failures: tuple[str, ...] = ()


async def read_task_page(resources: Resources, query: TaskQuery) -> TaskPage:
    """Reads a page; sources that cannot be read are in `failures`."""
    jobs, no_jobs = await _try(_live_rows(resources, query), "Jobs that run and wait")
    page, no_page = await _try(_recorded(resources, query), "Recorded runs")
    recorded = [row_of_run(run) for run in page.runs] if page else []
    return TaskPage(
        rows=[*(jobs or []), *recorded],
        previous=page.previous if page else None,
        next=page.next if page else None,
        failures=tuple(failure for failure in (no_jobs, no_page) if failure),
    )


async def read_task_counts(resources: Resources, query: TaskQuery) -> RunCounts | None:
    """Counts recorded runs by status; None while PostgreSQL does not answer."""

    async def count() -> RunCounts:
        with database_errors():
            async with resources.sessions() as session:
                return await count_runs(session, query.run_filter(await database_now(session)))

    counts, _ = await _try(count(), "")
    return counts


async def _live_rows(resources: Resources, query: TaskQuery) -> list[Row]:
    wanted, tasks = query.live_statuses, resources.tasks
    if not wanted:
        return []
    jobs: list[JobInfo] = []
    if JobStatus.RUNNING in wanted:
        jobs += await list_active(tasks)
    if wanted & {JobStatus.QUEUED, JobStatus.RETRYING}:
        jobs += await list_waiting(tasks, limit=LIVE_ROWS)
    if wanted & {JobStatus.DEFERRED, JobStatus.RETRYING}:
        jobs += await list_deferred(tasks, limit=LIVE_ROWS)
    # A job that started between two reads is in both lists.
    found = {job.job_id: job for job in reversed(jobs) if job.status in wanted and _is_meant(job, query)}
    arguments: Mapping[str, dict[str, Any]] = await find_arguments(tasks, list(found))
    rows = [row_of_job(job, arguments.get(job_id)) for job_id, job in reversed(found.items())]
    return with_text(rows, query.text) if query.text else rows


def _is_meant(job: JobInfo, query: TaskQuery) -> bool:
    return (
        query.task in {"", job.task}
        and query.queue in {"", job.queue.value if job.queue else ""}
        and query.worker in {"", job.worker_id}
    )


async def _recorded(resources: Resources, query: TaskQuery) -> RunPage:
    if not query.recorded_statuses:
        return RunPage(runs=(), previous=None, next=None)
    with database_errors():
        async with resources.sessions() as session:
            return await read_run_page(
                session,
                query.run_filter(await database_now(session)),
                order=query.order,
                descending=query.descending,
                place=query.place,
                limit=query.size,
            )


async def _try(reading: Awaitable[Value], what: str) -> tuple[Value | None, str]:
    try:
        return await with_timeout(reading), ""
    except FlexiPriceError as error:
        return None, f"{what} cannot be shown: {error.message}"

"""Reads everything about one task from Redis and PostgreSQL, and derives its timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.monitor.format import duration
from api.monitor.timeouts import with_timeout
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.run import RunStatus
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.arguments import find_arguments
from flexiprice.queue.client import can_be_job_id
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.resources import Resources
from flexiprice.runs.pages import list_children
from flexiprice.runs.query import Run, RunDetails, list_attempts

# Difference of two machines' clocks, below which a job was due when it was enqueued.
_CLOCK_TOLERANCE: Final = timedelta(seconds=1)
_MAX_ATTEMPTS: Final = 100
_UNKNOWN_PAST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimeline:
    """A task with its recorded attempts.

    Attributes:
        job_id: id of the job.
        job: the job in Redis; None if it has expired, or Redis is unavailable.
        attempts: the recorded runs, the first one first.
        children: the first runs of the job's subjobs.
        arguments: arguments by name; None if they are no longer stored.
        failures: sources that could not be read, with the reason.
    """

    job_id: str
    job: JobInfo | None = None
    attempts: tuple[RunDetails, ...] = ()
    children: tuple[Run, ...] = ()
    arguments: dict[str, Any] | None = None
    failures: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the task was found."""
        return self.job is not None or bool(self.attempts)

    @property
    def latest(self) -> RunDetails | None:
        """The latest recorded run."""
        return self.attempts[-1] if self.attempts else None

    @property
    def task(self) -> str:
        """The task's name."""
        task = self.job.task if self.job else None
        return task or (self.latest.task if self.latest else None) or "a task"

    @property
    def status(self) -> str:
        """The status of the job, or else of its latest run."""
        if self.job is not None:
            return self.job.status.value
        return self.latest.status.value if self.latest else "unknown"

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended."""
        if self.job is not None:
            return self.job.ready
        return self.latest is None or self.latest.status is not RunStatus.RUNNING

    @property
    def enqueued_at(self) -> datetime | None:
        """When it was enqueued."""
        enqueued_at = self.job.enqueued_at if self.job else None
        return enqueued_at or (self.attempts[0].enqueued_at if self.attempts else None)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A past or planned event of a task.

    Attributes:
        at: when it happens; None if unknown.
        status: name of the status whose icon is shown.
        title: the event in a few words.
        detail: further words; may be empty.
    """

    at: datetime | None
    status: str
    title: str
    detail: str = ""


async def read_task_timeline(resources: Resources, job_id: str) -> TaskTimeline:
    """Reads everything about a task; sources that cannot be read are in `failures`."""
    failures: list[str] = []
    job, arguments = None, None
    attempts: tuple[RunDetails, ...] = ()
    children: tuple[Run, ...] = ()
    try:
        if can_be_job_id(job_id):
            job, arguments = await with_timeout(_read_redis(resources, job_id))
    except FlexiPriceError as error:
        failures.append(f"The job in Redis cannot be shown: {error.message}")
    try:
        attempts, children = await with_timeout(_read_database(resources, job_id, job))
    except FlexiPriceError as error:
        failures.append(f"Its recorded runs cannot be shown: {error.message}")
    if arguments is None and attempts:
        arguments = attempts[-1].arguments
    return TaskTimeline(
        job_id=job_id,
        job=job,
        attempts=attempts,
        children=children,
        arguments=arguments,
        failures=tuple(failures),
    )


async def _read_redis(resources: Resources, job_id: str) -> tuple[JobInfo | None, dict[str, Any] | None]:
    statuses = await resources.tasks.find_statuses([job_id])
    arguments = await find_arguments(resources.tasks, [job_id])
    return statuses.get(job_id), arguments.get(job_id)


async def _read_database(
    resources: Resources, job_id: str, job: JobInfo | None
) -> tuple[tuple[RunDetails, ...], tuple[Run, ...]]:
    with database_errors():
        async with resources.sessions() as session:
            attempts = tuple(reversed(await list_attempts(session, job_id, limit=_MAX_ATTEMPTS)))
            enqueued_at = job.enqueued_at if job else attempts[0].enqueued_at if attempts else None
            since = enqueued_at or await database_now(session) - _UNKNOWN_PAST
            return attempts, await list_children(session, job_id, since=since)


def timeline_events(timeline: TaskTimeline) -> Sequence[TimelineEvent]:
    """Returns a task's events in order: enqueued, due, start and end of each try, and the next one."""
    events: list[TimelineEvent] = []
    job, first = timeline.job, timeline.attempts[0] if timeline.attempts else None
    if timeline.enqueued_at is not None:
        events.append(TimelineEvent(timeline.enqueued_at, "queued", "Enqueued", _source_of(timeline)))
    due_at = first.due_at if first else job.due_at if job and not job.attempt else None
    if due_at and timeline.enqueued_at and due_at - timeline.enqueued_at > _CLOCK_TOLERANCE:
        events.append(TimelineEvent(due_at, "deferred", "Due"))
    for run in timeline.attempts:
        if run.attempt:
            events.append(
                TimelineEvent(run.started_at, "running", f"Try {run.attempt} started", _on(run.worker_id))
            )
        if run.finished_at is not None:
            events.append(TimelineEvent(run.finished_at, run.status.value, _end_of(run), _detail_of(run)))
    events += _not_yet_recorded(timeline)
    return events


def _not_yet_recorded(timeline: TaskTimeline) -> list[TimelineEvent]:
    """Returns the events that only Redis has: a try or an end not yet recorded, and the next try."""
    job, events = timeline.job, list[TimelineEvent]()
    if job is None:
        return events
    recorded = timeline.latest
    is_new = recorded is None or job.attempt > recorded.attempt
    if job.started_at is not None and job.attempt and is_new:
        events.append(
            TimelineEvent(job.started_at, "running", f"Try {job.attempt} started", _on(job.worker_id))
        )
    if job.status is JobStatus.RETRYING:
        events.append(TimelineEvent(job.due_at, "retrying", "Next try", "waits until then"))
    ended_unrecorded = job.ready and (recorded is None or recorded.finished_at is None or is_new)
    if ended_unrecorded:
        events.append(
            TimelineEvent(
                job.finished_at,
                job.status.value,
                _WORDS[job.status.value],
                job.error.message if job.error else "",
            )
        )
    return events


_WORDS: Final = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "retrying": "Failed, will be retried",
    "revoked": "Revoked",
    "lost": "Its worker died",
    "released": "Released by its worker",
}


def _end_of(run: RunDetails) -> str:
    return _WORDS.get(run.status.value, run.status.value)


def _detail_of(run: RunDetails) -> str:
    if not run.attempt:
        return run.error_message or ""
    took = f"after {duration(run.ran)}"
    return f"{took}: {run.error_message}" if run.error_message else took


def _source_of(timeline: TaskTimeline) -> str:
    trigger = timeline.job.source.trigger if timeline.job else None
    trigger = trigger or (timeline.latest.trigger if timeline.latest else None)
    actor = timeline.job.source.actor if timeline.job else None
    words = f"by {trigger.value.replace('_', ' ')}" if trigger else ""
    return f"{words} ({actor})" if words and actor else words


def _on(worker_id: str | None) -> str:
    return f"on {worker_id}" if worker_id else ""

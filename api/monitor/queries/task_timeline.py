"""All that is known of one task, from Redis and PostgreSQL, and told in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.monitor.format import duration
from api.monitor.timeouts import answered
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

# A job is due when it is enqueued, or the clocks of two machines differ by that much.
_AT_ONCE: Final = timedelta(seconds=1)
_MAX_ATTEMPTS: Final = 100
_UNKNOWN_PAST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimeline:
    """What is known of a task.

    Attributes:
        job_id: its id.
        job: what Redis knows; None where it has forgotten it, or is away.
        attempts: the recorded runs, the first one first.
        children: the first runs of jobs that name this one as their parent.
        arguments: by name; None where nobody knows them any more.
        failures: what could not be read, and why.
    """

    job_id: str
    job: JobInfo | None = None
    attempts: tuple[RunDetails, ...] = ()
    children: tuple[Run, ...] = ()
    arguments: dict[str, Any] | None = None
    failures: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything is known."""
        return self.job is not None or bool(self.attempts)

    @property
    def latest(self) -> RunDetails | None:
        """The last recorded run."""
        return self.attempts[-1] if self.attempts else None

    @property
    def task(self) -> str:
        """The task's name."""
        told = self.job.task if self.job else None
        return told or (self.latest.task if self.latest else None) or "a task"

    @property
    def status(self) -> str:
        """How it stands, in one word."""
        if self.job is not None:
            return self.job.status.value
        return self.latest.status.value if self.latest else "unknown"

    @property
    def has_ended(self) -> bool:
        """Whether it has come to its end, as far as anybody knows."""
        if self.job is not None:
            return self.job.ready
        return self.latest is None or self.latest.status is not RunStatus.RUNNING

    @property
    def enqueued_at(self) -> datetime | None:
        """When it was enqueued."""
        told = self.job.enqueued_at if self.job else None
        return told or (self.attempts[0].enqueued_at if self.attempts else None)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that happened to a task, or is to.

    Attributes:
        at: when; None where nobody knows.
        status: the name of a status, for its sign.
        what: what happened.
        detail: more of it.
    """

    at: datetime | None
    status: str
    what: str
    detail: str = ""


async def read_story(resources: Resources, job_id: str) -> TaskTimeline:
    """Reads all there is about a task; what cannot be read is missing from it and said."""
    failures: list[str] = []
    job, arguments = None, None
    attempts: tuple[RunDetails, ...] = ()
    children: tuple[Run, ...] = ()
    try:
        if can_be_job_id(job_id):
            job, arguments = await answered(_ask_redis(resources, job_id))
    except FlexiPriceError as error:
        failures.append(f"What Redis knows cannot be shown: {error.message}")
    try:
        attempts, children = await answered(_ask_database(resources, job_id, job))
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


async def _ask_redis(resources: Resources, job_id: str) -> tuple[JobInfo | None, dict[str, Any] | None]:
    statuses = await resources.tasks.find_statuses([job_id])
    arguments = await find_arguments(resources.tasks, [job_id])
    return statuses.get(job_id), arguments.get(job_id)


async def _ask_database(
    resources: Resources, job_id: str, job: JobInfo | None
) -> tuple[tuple[RunDetails, ...], tuple[Run, ...]]:
    with database_errors():
        async with resources.sessions() as session:
            attempts = tuple(reversed(await list_attempts(session, job_id, limit=_MAX_ATTEMPTS)))
            enqueued_at = job.enqueued_at if job else attempts[0].enqueued_at if attempts else None
            since = enqueued_at or await database_now(session) - _UNKNOWN_PAST
            return attempts, await list_children(session, job_id, since=since)


def moments(story: TaskTimeline) -> Sequence[TimelineEvent]:
    """What happened to a task, in order: enqueued, due, each try with its end, and what is to come."""
    told: list[TimelineEvent] = []
    job, first = story.job, story.attempts[0] if story.attempts else None
    if story.enqueued_at is not None:
        told.append(TimelineEvent(story.enqueued_at, "queued", "Enqueued", _by_whom(story)))
    due_at = first.due_at if first else job.due_at if job and not job.attempt else None
    if due_at and story.enqueued_at and due_at - story.enqueued_at > _AT_ONCE:
        told.append(TimelineEvent(due_at, "deferred", "Due"))
    for run in story.attempts:
        if run.attempt:
            told.append(
                TimelineEvent(run.started_at, "running", f"Try {run.attempt} started", _on(run.worker_id))
            )
        if run.finished_at is not None:
            told.append(TimelineEvent(run.finished_at, run.status.value, _end_of(run), _detail_of(run)))
    told += _not_yet_recorded(story)
    return told


def _not_yet_recorded(story: TaskTimeline) -> list[TimelineEvent]:
    """What only Redis tells: a try whose record is on its way, the next one, an end without any."""
    job, told = story.job, list[TimelineEvent]()
    if job is None:
        return told
    recorded = story.latest
    is_new = recorded is None or job.attempt > recorded.attempt
    if job.started_at is not None and job.attempt and is_new:
        told.append(
            TimelineEvent(job.started_at, "running", f"Try {job.attempt} started", _on(job.worker_id))
        )
    if job.status is JobStatus.RETRYING:
        told.append(TimelineEvent(job.due_at, "retrying", "Next try", "waits until then"))
    ended_unrecorded = job.ready and (recorded is None or recorded.finished_at is None or is_new)
    if ended_unrecorded:
        told.append(
            TimelineEvent(
                job.finished_at,
                job.status.value,
                _WORDS[job.status.value],
                job.error.message if job.error else "",
            )
        )
    return told


_WORDS: Final = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "retrying": "Failed, to be tried again",
    "revoked": "Revoked",
    "lost": "Its worker was lost",
    "released": "Released by its worker",
}


def _end_of(run: RunDetails) -> str:
    return _WORDS.get(run.status.value, run.status.value)


def _detail_of(run: RunDetails) -> str:
    if not run.attempt:
        return run.error_message or ""
    took = f"after {duration(run.ran)}"
    return f"{took}: {run.error_message}" if run.error_message else took


def _by_whom(story: TaskTimeline) -> str:
    trigger = story.job.origin.trigger if story.job else None
    trigger = trigger or (story.latest.trigger if story.latest else None)
    actor = story.job.origin.actor if story.job else None
    words = f"by {trigger.value.replace('_', ' ')}" if trigger else ""
    return f"{words} ({actor})" if words and actor else words


def _on(worker_id: str | None) -> str:
    return f"on {worker_id}" if worker_id else ""

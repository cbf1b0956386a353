"""The timeline of a task, from Redis and from the run history."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from api.monitor.queries.task_timeline import TaskTimeline, timeline_events
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobError, JobInfo, JobStatus
from flexiprice.runs.query import RunDetails
from flexiprice.settings import Queue

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def a_job(status: JobStatus, **known: Any) -> JobInfo:
    ready = status in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.REVOKED}
    facts = {"task": "sleep", "queue": Queue.DISCOUNTS, "enqueued_at": _NOON, "ready": ready, **known}
    return JobInfo(job_id="one", status=status, **facts)


def a_try(attempt: int, status: RunStatus, *, started: int, **known: Any) -> RunDetails:
    facts: dict[str, Any] = {
        "queue": "discounts",
        "trigger": RunTrigger.API,
        "parent_job_id": None,
        "request_id": None,
        "arguments": {},
        "enqueued_at": _NOON,
        "due_at": None,
        "finished_at": None if status is RunStatus.RUNNING else _NOON + (started + 2) * _SECOND,
        "result": None,
        "error_code": None,
        "error_message": None,
        "traceback": None,
        **known,
    }
    return RunDetails(
        run_id=uuid4(),
        task="sleep",
        job_id="one",
        worker_id="w",
        attempt=attempt,
        status=status,
        started_at=_NOON + started * _SECOND,
        **facts,
    )


def told(timeline: TaskTimeline) -> list[tuple[int | None, str]]:
    return [
        (None if event.at is None else round((event.at - _NOON).total_seconds()), event.title)
        for event in timeline_events(timeline)
    ]


def test_a_task_that_was_tried_again_is_told_from_its_enqueueing_to_its_end() -> None:
    timeline = TaskTimeline(
        job_id="one",
        job=a_job(JobStatus.SUCCEEDED, started_at=_NOON + 9 * _SECOND, attempt=2),
        attempts=(
            a_try(1, RunStatus.RETRYING, started=1, error_message="not yet"),
            a_try(2, RunStatus.SUCCEEDED, started=9),
        ),
    )
    assert told(timeline) == [
        (0, "Enqueued"),
        (1, "Try 1 started"),
        (3, "Failed, will be retried"),
        (9, "Try 2 started"),
        (11, "Succeeded"),
    ]
    assert timeline_events(timeline)[2].detail == "after 2.0 s: not yet"
    assert (timeline.status, timeline.has_ended) == ("succeeded", True)


def test_timeline_of_a_waiting_task_says_who_enqueued_it_and_when_it_is_due() -> None:
    source = JobSource(trigger=RunTrigger.SCHEDULE_BY_HAND, actor="ada")
    timeline = TaskTimeline(
        job_id="one", job=a_job(JobStatus.DEFERRED, due_at=_NOON + 60 * _SECOND, source=source)
    )
    assert told(timeline) == [(0, "Enqueued"), (60, "Due")]
    assert timeline_events(timeline)[0].detail == "by schedule by hand (ada)"
    assert not timeline.has_ended


def test_the_next_try_is_told_before_it_begins() -> None:
    timeline = TaskTimeline(
        job_id="one",
        job=a_job(JobStatus.RETRYING, attempt=1, due_at=_NOON + 30 * _SECOND, started_at=_NOON + _SECOND),
        attempts=(a_try(1, RunStatus.RETRYING, started=1),),
    )
    assert told(timeline)[-1] == (30, "Next try")


def test_a_try_and_an_end_that_are_not_recorded_yet_are_told_by_redis() -> None:
    runs = a_job(JobStatus.RUNNING, attempt=1, started_at=_NOON + _SECOND, worker_id="w")
    assert told(TaskTimeline(job_id="one", job=runs)) == [(0, "Enqueued"), (1, "Try 1 started")]
    revoked = a_job(
        JobStatus.REVOKED, finished_at=_NOON + 5 * _SECOND, error=JobError("revoked", "it was called off")
    )
    assert told(TaskTimeline(job_id="one", job=revoked)) == [(0, "Enqueued"), (5, "Revoked")]


def test_timeline_of_a_task_that_redis_forgot_comes_from_the_history() -> None:
    timeline = TaskTimeline(job_id="one", attempts=(a_try(1, RunStatus.LOST, started=1),))
    assert (timeline.is_known, timeline.task, timeline.status, timeline.has_ended) == (
        True,
        "sleep",
        "lost",
        True,
    )
    assert told(timeline) == [(0, "Enqueued"), (1, "Try 1 started"), (3, "Its worker died")]
    assert not TaskTimeline(job_id="never").is_known


def test_timeline_of_a_task_that_never_started_has_no_try() -> None:
    revoked = a_try(
        0, RunStatus.REVOKED, started=3, finished_at=_NOON + 3 * _SECOND, error_message="called off"
    )
    timeline = TaskTimeline(job_id="one", attempts=(revoked,))
    assert told(timeline) == [(0, "Enqueued"), (3, "Revoked")]
    assert timeline_events(timeline)[1].detail == "called off"

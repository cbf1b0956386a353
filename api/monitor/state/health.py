"""Whether all is well, and if not, what is wrong, since when, and what to do: pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from api.monitor.queries.task_query import WINDOWS, TaskQuery
from api.monitor.state.alerts import Alert, Severity
from api.monitor.state.snapshot import Fleet, ServerHealth, Snapshot
from flexiprice.domain.run import RunStatus
from flexiprice.plurals import counted
from flexiprice.queue.admin.dead_letters import DeadLetterCounts
from flexiprice.queue.admin.inspect import UndeclaredTask
from flexiprice.queue.admin.queues import QueueState
from flexiprice.queue.redis.clock import DRIFT_WARNING, drift_in_words
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.runs.task_failures import FailingTask
from flexiprice.runs.timeseries import TrendBucket
from flexiprice.settings import Queue

__all__ = ["Alert", "Severity", "late_or_failing", "late_since", "verdict"]

# Workers tick to the second; what is later than this was missed by all of them.
LATE_AFTER: Final = timedelta(seconds=15)
# A worker takes what is due at once; what waits longer waits for a free place.
BEHIND_AFTER: Final = timedelta(minutes=1)
# A queue grows where it holds so many more jobs than a while ago, and half as many again.
GROWTH_WINDOW: Final = timedelta(minutes=2)
GROWTH: Final = 50
# Failures rise where of late so many runs failed, this part of all, and twice the part of before.
FAILURE_WINDOW: Final = timedelta(minutes=5)
FAILURES: Final = 3
FAILURE_RATE: Final = 0.05
LOOP_LAG_SECONDS: Final = 1.0
_REACHES: Final = ("24h", "7d", "30d")


def verdict(now: Snapshot) -> tuple[Alert, ...]:
    """What is wrong, the worst first, and of those the one that began first; nothing where all is well."""
    findings = [
        *_reach("Redis", now.redis, "Tasks wait until it is back; no task is lost."),
        *_reach("PostgreSQL", now.database, "Tasks are tried again once it is back."),
    ]
    # What was read before a server went away says nothing of now.
    if now.redis.away_since is None and now.fleet is not None:
        findings += [
            *_broker(now.fleet),
            *_workers(now, now.fleet),
            *(finding for queue in now.fleet.queues for finding in _queue(now, now.fleet, queue)),
            *map(_undeclared, now.fleet.undeclared),
            *_dead_letters(now.fleet.dead_letters),
            *(finding for schedule in now.fleet.schedules for finding in _schedule(schedule)),
        ]
    if now.database.away_since is None and now.history is not None:
        findings += map(partial(_failing, now), now.history.failing)
        findings += _failures(now, now.history.trend)
    return tuple(sorted(findings, key=lambda finding: (-finding.level, finding.since or now.at)))


def _reach(server: str, reach: ServerHealth, consequence: str) -> Iterator[Alert]:
    if reach.away_since is not None:
        what = f"{server} refuses its work" if reach.refuses else f"{server} does not answer"
        advice = f"{consequence} Start it, or look at its log. ({reach.reason})"
        if reach.refuses:
            advice = f"{reach.reason}. {consequence}"
        yield Alert(Severity.BAD, what, reach.away_since, advice, "/broker")
    elif reach.slow_since is not None:
        what = f"{server} is slow: {reach.seconds or 0:.1f} s for an answer"
        advice = "Look at the load of its machine, and at what else uses it."
        yield Alert(Severity.WARNING, what, reach.slow_since, advice, "/broker")


def _broker(fleet: Fleet) -> Iterator[Alert]:
    if fleet.evicts is not None:
        what = f"Redis drops keys when memory is short ({fleet.evicts}): tasks get lost"
        yield Alert(Severity.BAD, what, None, "Set maxmemory-policy to noeviction.", "/broker")


def _workers(now: Snapshot, fleet: Fleet) -> Iterator[Alert]:
    unserved = now.unserved_since
    if not fleet.workers:
        known = [since for since in unserved.values() if since is not None]
        since = min(known) if known and len(known) == len(unserved) else None
        advice = "Start one: flexiprice worker"
        yield Alert(Severity.BAD, "No worker is running", since, advice, "/workers")
        return
    draining = [worker for worker in fleet.workers if not worker.takes_jobs]
    for queue, since in unserved.items():
        yield _unserved(queue, since, [each for each in draining if queue in each.queues])
    for worker in fleet.workers:
        if worker.loop_lag_seconds > LOOP_LAG_SECONDS:
            what = (
                f"Worker {worker.host}:{worker.pid} stalls: its loop was {worker.loop_lag_seconds:.1f} s late"
            )
            advice = "A task blocks it, or its machine is overloaded; its log names the task."
            yield Alert(Severity.WARNING, what, None, advice, "/workers")
        drift = timedelta(seconds=worker.clock_drift_seconds)
        if abs(drift) > DRIFT_WARNING:
            level, consequence = (
                (Severity.BAD, "it schedules nothing")
                if worker.refuses_schedules
                else (Severity.WARNING, "its log tells wrong times")
            )
            what = f"The clock of worker {worker.host}:{worker.pid} is {drift_in_words(drift)} that of Redis"
            advice = f"So {consequence}. Set the clock that is wrong, as by NTP."
            yield Alert(level, what, None, advice, "/workers")
    versions = sorted({worker.version for worker in fleet.workers})
    if len(versions) > 1:
        what = f"Workers of different versions run: {', '.join(versions)}"
        yield Alert(
            Severity.NOTE, what, None, "Well during a deploy; otherwise stop the older ones.", "/workers"
        )


def _unserved(queue: Queue, since: datetime | None, draining: list[LiveWorker]) -> Alert:
    advice = f"Start one: flexiprice worker --queues {queue}"
    if not draining:
        return Alert(Severity.BAD, f"No worker takes from {queue}", since, advice, "/workers")
    names = ", ".join(f"{worker.host}:{worker.pid}" for worker in draining)
    what = f"No worker takes from {queue}: {names} {'drains' if len(draining) == 1 else 'drain'}"
    advice = f"It takes no more jobs, and ends. Start another: flexiprice worker --queues {queue}"
    return Alert(Severity.BAD, what, since, advice, "/workers")


def _undeclared(found: UndeclaredTask) -> Alert:
    what = f"No worker declares {found.task}: {counted(found.waiting, 'job', 'wait')} in {found.queue}"
    advice = (
        "Start or restart a worker of the version that has it. Its jobs fail once they have waited for "
        "FLEXIPRICE_UNKNOWN_TASK_PATIENCE."
    )
    return Alert(Severity.WARNING, what, found.since, advice, "/workers")


def _queue(now: Snapshot, fleet: Fleet, queue: QueueState) -> Iterator[Alert]:
    if queue.paused_at is not None:
        what = f"Queue {queue.queue} is paused by {queue.paused_by or 'somebody'}"
        # Though nothing waits yet: whatever comes will, and nobody who enqueues it is told.
        advice = f"{counted(queue.waiting, 'job', 'wait')}. Resume it when done."
        yield Alert(Severity.WARNING, what, queue.paused_at, advice, "/queues")
        return
    undeclared = sum(task.waiting for task in fleet.undeclared if task.queue is queue.queue)
    # Of jobs that no worker may take, more workers of the same version take none either.
    if queue.queue in now.unserved_since or (undeclared and queue.waiting <= undeclared):
        return
    oldest = queue.oldest_waiting or timedelta(0)
    before = [
        point.waiting.get(queue.queue, 0) for point in now.queue_points if now.at - point.at >= GROWTH_WINDOW
    ]
    grown = queue.waiting - before[-1] if before else 0
    advice = "Start more workers, or raise FLEXIPRICE_WORKER_CONCURRENCY."
    if oldest > BEHIND_AFTER:
        what = f"Queue {queue.queue} is behind: {counted(queue.waiting, 'job', 'wait')}"
        yield Alert(Severity.WARNING, what, now.at - oldest, advice, "/queues")
    elif grown >= GROWTH and grown >= queue.waiting / 3:
        what = f"Queue {queue.queue} grows: {grown} more jobs wait than {_minutes(GROWTH_WINDOW)} ago"
        yield Alert(Severity.WARNING, what, now.at - GROWTH_WINDOW, advice, "/queues")


def _dead_letters(found: DeadLetterCounts) -> Iterator[Alert]:
    if not found.total:
        return
    # What only failed has told its own story; the others were never done, and nobody was told.
    unseen = found.total - found.by_reason.get(DeadLetterReason.FAILED, 0)
    what = f"{counted(found.total, 'task', 'need')} a person"
    advice = "They were given up, cannot be read or run, or failed for good: retry or dismiss them."
    unknown = found.by_reason.get(DeadLetterReason.UNKNOWN_TASK, 0)
    if unknown:
        advice = (
            f"No worker declared the task of {unknown:,}: start or restart a worker of the version that "
            "has it before you retry. Retry or dismiss the others."
        )
    level = Severity.BAD if unseen else Severity.WARNING
    yield Alert(level, what, found.oldest_at, advice, "/dead-letters")


def late_since(schedule: ScheduleState) -> datetime | None:
    """When a schedule should have ticked that has not; None where it is on time, paused, or never ticked."""
    due_at = schedule.untaken_since
    return due_at if due_at is not None and schedule.read_at - due_at > LATE_AFTER else None


def late_or_failing(now: Snapshot) -> frozenset[str] | None:
    """Names of the tasks whose schedules are late or that fail; None where nobody knows now."""
    away = now.redis.away_since is not None or now.database.away_since is not None
    if away or now.fleet is None or now.history is None:
        return None
    late = {schedule.task for schedule in now.fleet.schedules if late_since(schedule) is not None}
    return frozenset(late | {task.task for task in now.history.failing})


def _schedule(schedule: ScheduleState) -> Iterator[Alert]:
    late = late_since(schedule)
    if late is not None:
        advice = "No worker ticks it: start one that takes from its queue, or run it by hand."
        yield Alert(Severity.BAD, f"Schedule {schedule.name} is late", late, advice, "/schedules")
    if schedule.disagreement is not None:
        what = f"Workers disagree when {schedule.name} runs"
        advice = f"Give all of them the same settings: {schedule.disagreement}"
        yield Alert(Severity.WARNING, what, None, advice, "/schedules")
    if schedule.paused_at is not None:
        what = f"Schedule {schedule.name} is paused by {schedule.paused_by or 'somebody'}"
        yield Alert(
            Severity.NOTE,
            what,
            schedule.paused_at,
            "Its ticks pass unused. Resume it when done.",
            "/schedules",
        )


def _failing(now: Snapshot, task: FailingTask) -> Alert:
    advice = f"Its last error: {task.error}" if task.error else "Its runs tell why."
    level = Severity.BAD if task.is_broken else Severity.WARNING
    # The page shows a day unless it is asked for more.
    reach = next((name for name in _REACHES if now.at - task.since < WINDOWS[name]), None)
    runs = TaskQuery(
        task=task.task,
        statuses=tuple(state.value for state in task.statuses),
        window=reach or _REACHES[0],
        since=None if reach else task.since,
    )
    return Alert(level, str(task), task.since, advice, runs.url)


def _failures(now: Snapshot, trend: tuple[TrendBucket, ...]) -> Iterator[Alert]:
    recent = [bucket for bucket in trend if now.at - bucket.starts_at <= FAILURE_WINDOW]
    failed, rate = _failure_rate(recent)
    _, rate_before = _failure_rate([bucket for bucket in trend if now.at - bucket.starts_at > FAILURE_WINDOW])
    if failed >= FAILURES and rate >= FAILURE_RATE and rate > 2 * rate_before:
        since = next(bucket.starts_at for bucket in recent if _failure_rate([bucket])[0])
        what = f"Failures rise: {failed} runs failed in the last {_minutes(FAILURE_WINDOW)} ({rate:.0%})"
        yield Alert(Severity.WARNING, what, since, "Look at their errors below.", "/tasks?status=failed")


def _failure_rate(trend: list[TrendBucket]) -> tuple[int, float]:
    failed = sum(bucket.by_status[RunStatus.FAILED] + bucket.by_status[RunStatus.LOST] for bucket in trend)
    ended = failed + sum(bucket.by_status[RunStatus.SUCCEEDED] for bucket in trend)
    return failed, failed / ended if ended else 0.0


def _minutes(length: timedelta) -> str:
    return f"{length // timedelta(minutes=1)} minutes"

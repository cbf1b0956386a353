"""Derives alerts from a snapshot; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from api.monitor.queries.task_query import WINDOWS, TaskQuery
from api.monitor.state.alerts import Alert, Severity
from api.monitor.state.snapshot import BrokerSnapshot, ServerHealth, Snapshot
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

__all__ = ["Alert", "Severity", "find_alerts", "late_or_failing", "late_since"]

# Workers enqueue scheduled jobs within a second; later than this, all of them missed it.
LATE_AFTER: Final = timedelta(seconds=15)
# Workers claim due jobs at once; a job that waits longer waits for a free slot.
BEHIND_AFTER: Final = timedelta(minutes=1)
# A queue grows if at least `GROWTH` jobs, and a third of those that wait, have come within the window.
GROWTH_WINDOW: Final = timedelta(minutes=2)
GROWTH: Final = 50
# Failures rise if at least so many runs failed within the window, at this rate, and at twice the rate before.
FAILURE_WINDOW: Final = timedelta(minutes=5)
FAILURES: Final = 3
FAILURE_RATE: Final = 0.05
LOOP_LAG_SECONDS: Final = 1.0
_LINK_WINDOWS: Final = ("24h", "7d", "30d")


def find_alerts(now: Snapshot) -> tuple[Alert, ...]:
    """Returns the alerts of a snapshot: the most severe first, then the oldest."""
    alerts = [
        *_server_alerts("Redis", now.redis, "Tasks wait until it is back; no task is lost."),
        *_server_alerts("PostgreSQL", now.database, "Tasks are tried again once it is back."),
    ]
    # The last data of a server that is down may be outdated.
    if now.redis.down_since is None and now.broker is not None:
        alerts += [
            *_eviction_alerts(now.broker),
            *_worker_alerts(now, now.broker),
            *(alert for queue in now.broker.queues for alert in _queue_alerts(now, now.broker, queue)),
            *map(_undeclared_alert, now.broker.undeclared),
            *_dead_letter_alerts(now.broker.dead_letters),
            *(alert for schedule in now.broker.schedules for alert in _schedule_alerts(schedule)),
        ]
    if now.database.down_since is None and now.recent is not None:
        alerts += map(partial(_failing_alert, now), now.recent.failing)
        alerts += _failure_alerts(now, now.recent.trend)
    return tuple(sorted(alerts, key=lambda alert: (-alert.severity, alert.since or now.at)))


def _server_alerts(name: str, server: ServerHealth, consequence: str) -> Iterator[Alert]:
    if server.down_since is not None:
        title = f"{name} refuses its work" if server.refuses else f"{name} does not answer"
        advice = f"{consequence} Start it, or look at its log. ({server.reason})"
        if server.refuses:
            advice = f"{server.reason}. {consequence}"
        yield Alert(Severity.BAD, title, server.down_since, advice, "/broker")
    elif server.slow_since is not None:
        title = f"{name} is slow: {server.seconds or 0:.1f} s for an answer"
        advice = "Look at the load of its machine and at its other clients."
        yield Alert(Severity.WARNING, title, server.slow_since, advice, "/broker")


def _eviction_alerts(broker: BrokerSnapshot) -> Iterator[Alert]:
    if broker.eviction_policy is not None:
        title = f"Redis drops keys when memory is short ({broker.eviction_policy}): tasks get lost"
        yield Alert(Severity.BAD, title, None, "Set maxmemory-policy to noeviction.", "/broker")


def _worker_alerts(now: Snapshot, broker: BrokerSnapshot) -> Iterator[Alert]:
    unserved = now.unserved_since
    if not broker.workers:
        known = [since for since in unserved.values() if since is not None]
        since = min(known) if known and len(known) == len(unserved) else None
        advice = "Start one: flexiprice worker"
        yield Alert(Severity.BAD, "No worker is running", since, advice, "/workers")
        return
    draining = [worker for worker in broker.workers if not worker.takes_jobs]
    for queue, since in unserved.items():
        yield _unserved_alert(queue, since, [each for each in draining if queue in each.queues])
    for worker in broker.workers:
        if worker.loop_lag_seconds > LOOP_LAG_SECONDS:
            title = (
                f"Worker {worker.host}:{worker.pid} stalls: its loop was {worker.loop_lag_seconds:.1f} s late"
            )
            advice = "A task blocks it, or its machine is overloaded; its log names the task."
            yield Alert(Severity.WARNING, title, None, advice, "/workers")
        drift = timedelta(seconds=worker.clock_drift_seconds)
        if abs(drift) > DRIFT_WARNING:
            severity, consequence = (
                (Severity.BAD, "it schedules nothing")
                if worker.refuses_schedules
                else (Severity.WARNING, "its log has wrong times")
            )
            title = f"The clock of worker {worker.host}:{worker.pid} is {drift_in_words(drift)} that of Redis"
            advice = f"So {consequence}. Synchronize the wrong clock, for example by NTP."
            yield Alert(severity, title, None, advice, "/workers")
    versions = sorted({worker.version for worker in broker.workers})
    if len(versions) > 1:
        title = f"Workers of different versions run: {', '.join(versions)}"
        yield Alert(
            Severity.NOTE, title, None, "Expected during a deploy; otherwise stop the older ones.", "/workers"
        )


def _unserved_alert(queue: Queue, since: datetime | None, draining: list[LiveWorker]) -> Alert:
    advice = f"Start one: flexiprice worker --queues {queue}"
    if not draining:
        return Alert(Severity.BAD, f"No worker takes from {queue}", since, advice, "/workers")
    names = ", ".join(f"{worker.host}:{worker.pid}" for worker in draining)
    title = f"No worker takes from {queue}: {names} {'drains' if len(draining) == 1 else 'drain'}"
    advice = f"A draining worker takes no more jobs. Start another: flexiprice worker --queues {queue}"
    return Alert(Severity.BAD, title, since, advice, "/workers")


def _undeclared_alert(found: UndeclaredTask) -> Alert:
    title = f"No worker declares {found.task}: {counted(found.waiting, 'job', 'wait')} in {found.queue}"
    advice = (
        "Start or restart a worker of the version that has it. Its jobs fail after waiting for "
        "FLEXIPRICE_UNKNOWN_TASK_TIMEOUT."
    )
    return Alert(Severity.WARNING, title, found.since, advice, "/workers")


def _queue_alerts(now: Snapshot, broker: BrokerSnapshot, queue: QueueState) -> Iterator[Alert]:
    if queue.paused_at is not None:
        title = f"Queue {queue.queue} is paused by {queue.paused_by or 'an unknown user'}"
        # Also while no job waits: new jobs will, without a notice to their producers.
        advice = f"{counted(queue.waiting, 'job', 'wait')}. Resume it when done."
        yield Alert(Severity.WARNING, title, queue.paused_at, advice, "/queues")
        return
    undeclared = sum(task.waiting for task in broker.undeclared if task.queue is queue.queue)
    # More workers of the same version do not help jobs that no worker may claim.
    if queue.queue in now.unserved_since or (undeclared and queue.waiting <= undeclared):
        return
    oldest = queue.oldest_waiting or timedelta(0)
    before = [
        point.waiting.get(queue.queue, 0) for point in now.queue_points if now.at - point.at >= GROWTH_WINDOW
    ]
    grown = queue.waiting - before[-1] if before else 0
    advice = "Start more workers, or raise FLEXIPRICE_WORKER_CONCURRENCY."
    if oldest > BEHIND_AFTER:
        title = f"Queue {queue.queue} is behind: {counted(queue.waiting, 'job', 'wait')}"
        yield Alert(Severity.WARNING, title, now.at - oldest, advice, "/queues")
    elif grown >= GROWTH and grown >= queue.waiting / 3:
        title = f"Queue {queue.queue} grows: {grown} more jobs wait than {_minutes(GROWTH_WINDOW)} ago"
        yield Alert(Severity.WARNING, title, now.at - GROWTH_WINDOW, advice, "/queues")


def _dead_letter_alerts(found: DeadLetterCounts) -> Iterator[Alert]:
    if not found.total:
        return
    # Failed tasks have alerts of their own; the others were never done.
    unseen = found.total - found.by_reason.get(DeadLetterReason.FAILED, 0)
    title = f"{counted(found.total, 'task', 'need')} a person"
    advice = (
        "They were given up, are unreadable or unknown, or failed after all attempts: retry or dismiss them."
    )
    unknown = found.by_reason.get(DeadLetterReason.UNKNOWN_TASK, 0)
    if unknown:
        advice = (
            f"No worker declared the task of {unknown:,}: start or restart a worker of the version that "
            "has it before you retry. Retry or dismiss the others."
        )
    severity = Severity.BAD if unseen else Severity.WARNING
    yield Alert(severity, title, found.oldest_at, advice, "/dead-letters")


def late_since(schedule: ScheduleState) -> datetime | None:
    """Returns the due time that a schedule has missed; None if it is on time, paused, or has never run."""
    due_at = schedule.untaken_since
    return due_at if due_at is not None and schedule.read_at - due_at > LATE_AFTER else None


def late_or_failing(now: Snapshot) -> frozenset[str] | None:
    """Returns the names of the tasks that fail or whose schedules are late; None if a server is down."""
    is_down = now.redis.down_since is not None or now.database.down_since is not None
    if is_down or now.broker is None or now.recent is None:
        return None
    late = {schedule.task for schedule in now.broker.schedules if late_since(schedule) is not None}
    return frozenset(late | {task.task for task in now.recent.failing})


def _schedule_alerts(schedule: ScheduleState) -> Iterator[Alert]:
    late = late_since(schedule)
    if late is not None:
        advice = "No worker enqueues it: start one for its queue, or run it by hand."
        yield Alert(Severity.BAD, f"Schedule {schedule.name} is late", late, advice, "/schedules")
    if schedule.disagreement is not None:
        title = f"Workers disagree when {schedule.name} runs"
        advice = f"Give all of them the same settings: {schedule.disagreement}"
        yield Alert(Severity.WARNING, title, None, advice, "/schedules")
    if schedule.paused_at is not None:
        title = f"Schedule {schedule.name} is paused by {schedule.paused_by or 'an unknown user'}"
        yield Alert(
            Severity.NOTE,
            title,
            schedule.paused_at,
            "Its ticks are skipped. Resume it when done.",
            "/schedules",
        )


def _failing_alert(now: Snapshot, task: FailingTask) -> Alert:
    advice = f"Its last error: {task.error}" if task.error else "Its runs have the errors."
    severity = Severity.BAD if task.is_broken else Severity.WARNING
    # The shortest window of the tasks page that includes the first failure.
    server = next((name for name in _LINK_WINDOWS if now.at - task.since < WINDOWS[name]), None)
    runs = TaskQuery(
        task=task.task,
        statuses=tuple(state.value for state in task.statuses),
        window=server or _LINK_WINDOWS[0],
        since=None if server else task.since,
    )
    return Alert(severity, str(task), task.since, advice, runs.url)


def _failure_alerts(now: Snapshot, trend: tuple[TrendBucket, ...]) -> Iterator[Alert]:
    recent = [bucket for bucket in trend if now.at - bucket.starts_at <= FAILURE_WINDOW]
    failed, rate = _failure_rate(recent)
    _, rate_before = _failure_rate([bucket for bucket in trend if now.at - bucket.starts_at > FAILURE_WINDOW])
    if failed >= FAILURES and rate >= FAILURE_RATE and rate > 2 * rate_before:
        since = next(bucket.starts_at for bucket in recent if _failure_rate([bucket])[0])
        title = f"Failures rise: {failed} runs failed in the last {_minutes(FAILURE_WINDOW)} ({rate:.0%})"
        yield Alert(Severity.WARNING, title, since, "Look at their errors below.", "/tasks?status=failed")


def _failure_rate(trend: list[TrendBucket]) -> tuple[int, float]:
    failed = sum(bucket.by_status[RunStatus.FAILED] + bucket.by_status[RunStatus.LOST] for bucket in trend)
    ended = failed + sum(bucket.by_status[RunStatus.SUCCEEDED] for bucket in trend)
    return failed, failed / ended if ended else 0.0


def _minutes(length: timedelta) -> str:
    return f"{length // timedelta(minutes=1)} minutes"

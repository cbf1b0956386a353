"""Alerts of the monitor: none in a healthy state, else fault, beginning and remedy."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from api.monitor.queries.task_query import read_task_query
from api.monitor.state.health import Alert, Severity, find_alerts, late_since
from api.monitor.state.live import _unserved  # pyright: ignore[reportPrivateUsage]
from api.monitor.state.recent import STEP, RecentActivity
from api.monitor.state.snapshot import BrokerSnapshot, QueuePoint, ServerHealth, Snapshot
from flexiprice.domain.run import RunStatus
from flexiprice.queue.admin.dead_letters import DeadLetterCounts
from flexiprice.queue.admin.inspect import UndeclaredTask
from flexiprice.queue.schedule_state import ScheduleLine
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.heartbeat import WorkerStatus
from flexiprice.runs.timeseries import TrendBucket
from flexiprice.settings import Queue
from tests.support.states import NOON, NOW, failing, queue, schedule, worker

MINUTE = timedelta(minutes=1)


def buckets(counts: Mapping[RunStatus, int], *, began: timedelta) -> TrendBucket:
    by_status = dict.fromkeys(RunStatus, 0) | dict(counts)
    return TrendBucket(starts_at=NOW - began, by_status=by_status, p50=None, p95=None)


def recent(**differences: Any) -> RecentActivity:
    plain = RecentActivity(at=NOW, trend=(), ended={}, schedule_runs={}, failures=())
    return replace(plain, **differences)


def broker(**differences: Any) -> BrokerSnapshot:
    plain = BrokerSnapshot(
        at=NOW,
        workers=(worker(),),
        queues=tuple(queue(name) for name in Queue),
        schedules=(schedule(),),
        active=(),
    )
    return replace(plain, **differences)


def snapshot(**differences: Any) -> Snapshot:
    plain = Snapshot(
        at=NOW,
        redis=ServerHealth(seconds=0.002),
        database=ServerHealth(seconds=0.003),
        broker=broker(),
        recent=recent(),
    )
    return replace(plain, **differences)


def only(now: Snapshot) -> Alert:
    (alert,) = find_alerts(now)
    return alert


def test_healthy_snapshot_has_no_alerts() -> None:
    assert find_alerts(snapshot()) == ()


def test_empty_snapshot_has_no_alerts() -> None:
    assert find_alerts(Snapshot(at=NOW, redis=ServerHealth(), database=ServerHealth())) == ()


def test_alert_for_a_redis_that_refuses_writes_quotes_its_sentence() -> None:
    refuses = ServerHealth().after_failure(NOON, "Redis refuses writes: too few replicas", refuses=True)
    alert = only(snapshot(redis=refuses))
    assert (alert.severity, alert.title, alert.since) == (Severity.BAD, "Redis refuses its work", NOON)
    assert alert.advice.startswith("Redis refuses writes: too few replicas. ")


def test_a_redis_that_drops_keys_is_bad_before_it_has_dropped_any() -> None:
    alert = only(snapshot(broker=broker(eviction_policy="allkeys-lru")))
    assert (alert.severity, alert.link) == (Severity.BAD, "/broker")
    assert "allkeys-lru" in alert.title
    assert "noeviction" in alert.advice


def test_a_server_that_is_away_is_the_worst_and_what_it_said_before_counts_no_more() -> None:
    is_down = ServerHealth(down_since=NOON, reason="refused")
    alert = only(snapshot(redis=is_down, broker=broker(workers=())))
    assert (alert.severity, alert.title, alert.since) == (Severity.BAD, "Redis does not answer", NOON)
    trend = (buckets({RunStatus.FAILED: 9}, began=MINUTE),)
    alert = only(snapshot(database=is_down, recent=recent(trend=trend)))
    assert (alert.title, alert.since) == ("PostgreSQL does not answer", NOON)
    assert "refused" in alert.advice


@pytest.mark.parametrize(
    ("by_reason", "severity", "title"),
    [
        ({DeadLetterReason.FAILED: 2}, Severity.WARNING, "2 tasks need a person"),
        ({DeadLetterReason.FAILED: 2, DeadLetterReason.GIVEN_UP: 1}, Severity.BAD, "3 tasks need a person"),
        ({DeadLetterReason.BAD_ENTRY: 1}, Severity.BAD, "1 task needs a person"),
    ],
)
def test_tasks_that_need_a_person_are_told_and_worst_are_those_that_were_never_done(
    by_reason: Mapping[DeadLetterReason, int], severity: Severity, title: str
) -> None:
    letters = DeadLetterCounts(by_reason=by_reason, oldest_at=NOON)
    alert = only(snapshot(broker=broker(dead_letters=letters)))
    assert (alert.severity, alert.title, alert.since) == (severity, title, NOON)
    assert alert.link == "/dead-letters"


def test_a_slow_server_is_told_with_what_an_answer_takes() -> None:
    alert = only(snapshot(database=ServerHealth(seconds=1.26, slow_since=NOON)))
    assert (alert.severity, alert.title) == (Severity.WARNING, "PostgreSQL is slow: 1.3 s for an answer")


def test_answers_and_silences_are_dated_from_the_first_of_their_kind() -> None:
    silent = ServerHealth().after_failure(NOON, "refused").after_failure(NOW, "refused")
    assert silent.down_since == NOON
    assert silent.after_success(NOW, 0.01) == ServerHealth(seconds=0.01)
    assert ServerHealth().after_success(NOON, 0.7).after_success(NOW, 0.8).slow_since == NOON


def test_no_worker_at_all_is_one_finding_and_not_one_for_each_queue() -> None:
    unserved = dict.fromkeys(Queue, NOON) | {Queue.ANALYTICS: NOON - MINUTE}
    alert = only(snapshot(broker=broker(workers=()), unserved_since=unserved))
    assert (alert.severity, alert.title) == (Severity.BAD, "No worker is running")
    assert alert.since == NOON - MINUTE
    assert "flexiprice worker" in alert.advice
    since_before_it_looked = unserved | {Queue.MAINTENANCE: None}
    alert = only(snapshot(broker=broker(workers=()), unserved_since=since_before_it_looked))
    assert alert.since is None


def test_a_queue_without_a_worker_is_told_with_the_command_that_serves_it() -> None:
    waiting = broker(queues=(queue(Queue.ANALYTICS, waiting=9, oldest_waiting=9 * MINUTE),))
    alert = only(snapshot(broker=waiting, unserved_since={Queue.ANALYTICS: NOON}))
    assert (alert.title, alert.since) == ("No worker takes from analytics", NOON)
    assert "flexiprice worker --queues analytics" in alert.advice


def test_a_queue_whose_only_worker_drains_is_not_called_served() -> None:
    drains = broker(workers=(worker(status=WorkerStatus.DRAINING),))
    alert = only(snapshot(broker=drains, unserved_since={Queue.ANALYTICS: NOON}))
    assert (alert.severity, alert.since) == (Severity.BAD, NOON)
    assert alert.title == "No worker takes from analytics: till-1:77 drains"
    assert "flexiprice worker --queues analytics" in alert.advice


def test_a_queue_is_unserved_from_when_its_only_worker_began_to_drain() -> None:
    before = snapshot()
    assert _unserved(broker(), before) == {}
    drains = broker(workers=(worker(status=WorkerStatus.DRAINING),))
    assert _unserved(drains, before) == dict.fromkeys(Queue, NOW)
    beside = broker(workers=(worker(status=WorkerStatus.DRAINING), worker()))
    assert _unserved(beside, before) == {}


def test_alert_for_undeclared_tasks_asks_for_another_worker_and_not_for_more() -> None:
    unknown = UndeclaredTask(task="count_stock", queue=Queue.DISCOUNTS, waiting=1, since=NOON)
    waiting = queue(waiting=1, oldest_waiting=9 * MINUTE)
    alert = only(snapshot(broker=broker(queues=(waiting,), undeclared=(unknown,))))
    assert alert.title == "No worker declares count_stock: 1 job waits in discounts"
    assert alert.since == NOON
    assert "start or restart a worker of the version that has it" in alert.advice.lower()
    others = replace(waiting, waiting=9)
    found = find_alerts(snapshot(broker=broker(queues=(others,), undeclared=(unknown,))))
    assert found[0].title == "Queue discounts is behind: 9 jobs wait"


def test_a_task_given_up_as_unknown_is_not_advised_to_be_retried_at_once() -> None:
    letters = DeadLetterCounts(by_reason={DeadLetterReason.UNKNOWN_TASK: 1}, oldest_at=NOON)
    assert (
        "a worker of the version that has it before you retry"
        in only(snapshot(broker=broker(dead_letters=letters))).advice
    )


@pytest.mark.parametrize(("oldest", "found"), [(MINUTE, 0), (2 * MINUTE, 1)])
def test_a_queue_is_behind_where_its_first_job_waits_for_more_than_a_minute(
    oldest: timedelta, found: int
) -> None:
    alerts = find_alerts(snapshot(broker=broker(queues=(queue(waiting=7, oldest_waiting=oldest),))))
    assert len(alerts) == found
    assert all(alert.since == NOW - oldest for alert in alerts)


@pytest.mark.parametrize(("before", "now", "found"), [(10, 59, 0), (10, 60, 1), (1000, 1060, 0)])
def test_a_queue_grows_where_it_holds_many_more_jobs_than_a_while_ago(
    before: int, now: int, found: int
) -> None:
    def point(waiting: int, age: timedelta) -> QueuePoint:
        return QueuePoint(at=NOW - age, total={}, waiting={Queue.DISCOUNTS: waiting}, oldest={})

    points = (point(before, 2 * MINUTE), point(now, STEP))
    state = queue(waiting=now, oldest_waiting=STEP)
    assert len(find_alerts(snapshot(broker=broker(queues=(state,)), queue_points=points))) == found


def test_alert_names_paused_queues_and_schedules_and_by_whom() -> None:
    paused = {"paused_at": NOON, "paused_by": "night shift"}
    alert = only(snapshot(broker=broker(queues=(queue(waiting=1, oldest_waiting=9 * MINUTE, **paused),))))
    assert (alert.severity, alert.title) == (Severity.WARNING, "Queue discounts is paused by night shift")
    assert alert.advice.startswith("1 job waits.")
    alert = only(snapshot(broker=broker(schedules=(schedule(**paused),))))
    assert alert.title == "Schedule recompute is paused by night shift"


def test_a_paused_queue_in_which_nothing_waits_yet_is_a_warning_too() -> None:
    alert = only(snapshot(broker=broker(queues=(queue(paused_at=NOON, paused_by="night shift"),))))
    assert (alert.severity, alert.since) == (Severity.WARNING, NOON)
    assert alert.advice.startswith("0 jobs wait.")


def test_a_schedule_is_late_from_the_tick_that_nobody_took() -> None:
    missed = schedule(last_tick_at=NOON - 180 * MINUTE)
    alert = only(snapshot(broker=broker(schedules=(missed,))))
    assert (alert.severity, alert.since) == (Severity.BAD, NOON - 120 * MINUTE)
    assert late_since(replace(missed, read_at=NOON - 120 * MINUTE)) is None
    assert late_since(replace(missed, paused_at=NOON)) is None
    assert late_since(replace(missed, last_tick_at=None)) is None


def test_a_schedule_is_judged_by_the_lines_that_workers_publish() -> None:
    nightly = ScheduleLine(crontab="0 2 * * *", time_zone="UTC", worker_ids=("one",))
    taken = schedule(last_tick_at=NOON - 600 * MINUTE, lines=(nightly,))
    assert find_alerts(snapshot(broker=broker(schedules=(taken,)))) == ()
    hourly = ScheduleLine(crontab="0 * * * *", time_zone="UTC", worker_ids=("two",))
    torn = schedule(lines=(nightly, hourly))
    alert = only(snapshot(broker=broker(schedules=(torn,))))
    assert (alert.severity, alert.title) == (Severity.WARNING, "Workers disagree when recompute runs")
    assert "0 2 * * * UTC on one; 0 * * * * UTC on two" in alert.advice


@pytest.mark.parametrize(
    ("drift", "severity"),
    [(2.0, None), (-2.5, Severity.WARNING), (60.0, Severity.WARNING), (-61.0, Severity.BAD)],
)
def test_a_workers_clock_that_is_wrong_is_told(drift: float, severity: Severity | None) -> None:
    alerts = find_alerts(snapshot(broker=broker(workers=(replace(worker(), clock_drift_seconds=drift),))))
    assert [alert.severity for alert in alerts] == ([] if severity is None else [severity])
    assert all(f"{abs(drift):.1f} s" in alert.title for alert in alerts)


def test_a_task_that_fails_is_told_with_its_error_and_a_link_to_its_failed_runs() -> None:
    alert = only(snapshot(recent=recent(failing=(failing(),))))
    assert alert == Alert(
        Severity.WARNING,
        "recompute_batches failed the last 3 times it ran",
        NOON,
        "Its last error: there is no such batch",
        "/tasks?task=recompute_batches&status=failed",
    )
    assert only(snapshot(recent=recent(failing=(failing(scheduled=True),)))).severity is Severity.BAD
    once = only(snapshot(recent=recent(failing=(failing(scheduled=True, in_a_row=1, failed=1),))))
    assert (once.severity, once.title) == (Severity.WARNING, "recompute_batches failed when it last ran")


@pytest.mark.parametrize(
    ("age", "link"),
    [
        (timedelta(days=2), "&window=7d"),
        (timedelta(days=20), "&window=30d"),
        (timedelta(days=90), f"&since={NOW - timedelta(days=90):%Y-%m-%dT%H}%3A00%3A30Z"),
    ],
)
def test_the_link_to_failed_runs_looks_back_as_far_as_they_are(age: timedelta, link: str) -> None:
    alert = only(snapshot(recent=recent(failing=(failing(since=NOW - age),))))
    assert alert.link == "/tasks?task=recompute_batches&status=failed" + link
    query = read_task_query(dict(parse_qsl(alert.link.partition("?")[2])))
    assert (query.run_filter(NOW).since or NOW) <= NOW - age


@pytest.mark.parametrize(
    ("before", "lately", "found"),
    [
        ({RunStatus.SUCCEEDED: 100}, {RunStatus.SUCCEEDED: 50, RunStatus.FAILED: 3}, 1),
        ({RunStatus.SUCCEEDED: 100}, {RunStatus.SUCCEEDED: 50, RunStatus.LOST: 3}, 1),
        ({RunStatus.SUCCEEDED: 100}, {RunStatus.SUCCEEDED: 1, RunStatus.FAILED: 2}, 0),
        ({RunStatus.SUCCEEDED: 100}, {RunStatus.SUCCEEDED: 990, RunStatus.FAILED: 10}, 0),
        ({RunStatus.SUCCEEDED: 90, RunStatus.FAILED: 10}, {RunStatus.SUCCEEDED: 45, RunStatus.FAILED: 5}, 0),
        ({}, {RunStatus.RETRYING: 50}, 0),
    ],
)
def test_failures_rise_where_several_failed_of_late_and_a_larger_part_than_before(
    before: dict[RunStatus, int], lately: dict[RunStatus, int], found: int
) -> None:
    trend = (buckets(before, began=9 * MINUTE), buckets(lately, began=2 * MINUTE))
    alerts = find_alerts(snapshot(recent=recent(trend=trend)))
    assert [alert.since for alert in alerts] == [NOW - 2 * MINUTE] * found


def test_a_worker_that_stalls_and_workers_of_two_versions_are_told() -> None:
    workers = (worker(), worker(version="1.1", loop_lag_seconds=2.5))
    stalls, versions = find_alerts(snapshot(broker=broker(workers=workers)))
    assert "till-1:77 stalls" in stalls.title
    assert (versions.severity, versions.title) == (
        Severity.NOTE,
        "Workers of different versions run: 1.0, 1.1",
    )


def test_alerts_are_sorted_by_severity_and_by_age() -> None:
    paused = queue(Queue.ANALYTICS, paused_at=NOON - 60 * MINUTE)
    late = schedule(last_tick_at=NOON - 180 * MINUTE)
    waits = schedule(paused_at=NOON - 600 * MINUTE)
    slow = ServerHealth(seconds=1.0, slow_since=NOON - 90 * MINUTE)
    found = find_alerts(snapshot(database=slow, broker=broker(queues=(paused,), schedules=(waits, late))))
    assert [alert.severity for alert in found] == [
        Severity.BAD,
        Severity.WARNING,
        Severity.WARNING,
        Severity.NOTE,
    ]
    assert found[1].title.startswith("PostgreSQL is slow")

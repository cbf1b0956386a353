"""Alerts of the monitor: none in a healthy state, else fault, beginning and remedy."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from api.monitor.queries.task_query import read_task_query
from api.monitor.state.health import Alert, Severity, late_since, verdict
from api.monitor.state.live import _unserved  # pyright: ignore[reportPrivateUsage]
from api.monitor.state.recent import STEP, RecentActivity
from api.monitor.state.snapshot import Fleet, QueuePoint, ServerHealth, Snapshot
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


def history(**differences: Any) -> RecentActivity:
    plain = RecentActivity(at=NOW, trend=(), ended={}, schedule_runs={}, failures=())
    return replace(plain, **differences)


def fleet(**differences: Any) -> Fleet:
    plain = Fleet(
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
        fleet=fleet(),
        history=history(),
    )
    return replace(plain, **differences)


def only(now: Snapshot) -> Alert:
    (finding,) = verdict(now)
    return finding


def test_healthy_snapshot_has_no_alerts() -> None:
    assert verdict(snapshot()) == ()


def test_empty_snapshot_has_no_alerts() -> None:
    assert verdict(Snapshot(at=NOW, redis=ServerHealth(), database=ServerHealth())) == ()


def test_alert_for_a_redis_that_refuses_writes_quotes_its_sentence() -> None:
    refuses = ServerHealth().after_silence(NOON, "Redis refuses writes: too few replicas", refuses=True)
    finding = only(snapshot(redis=refuses))
    assert (finding.level, finding.what, finding.since) == (Severity.BAD, "Redis refuses its work", NOON)
    assert finding.advice.startswith("Redis refuses writes: too few replicas. ")


def test_a_redis_that_drops_keys_is_bad_before_it_has_dropped_any() -> None:
    finding = only(snapshot(fleet=fleet(evicts="allkeys-lru")))
    assert (finding.level, finding.link) == (Severity.BAD, "/broker")
    assert "allkeys-lru" in finding.what
    assert "noeviction" in finding.advice


def test_a_server_that_is_away_is_the_worst_and_what_it_said_before_counts_no_more() -> None:
    away = ServerHealth(away_since=NOON, reason="refused")
    finding = only(snapshot(redis=away, fleet=fleet(workers=())))
    assert (finding.level, finding.what, finding.since) == (Severity.BAD, "Redis does not answer", NOON)
    trend = (buckets({RunStatus.FAILED: 9}, began=MINUTE),)
    finding = only(snapshot(database=away, history=history(trend=trend)))
    assert (finding.what, finding.since) == ("PostgreSQL does not answer", NOON)
    assert "refused" in finding.advice


@pytest.mark.parametrize(
    ("by_reason", "level", "what"),
    [
        ({DeadLetterReason.FAILED: 2}, Severity.WARNING, "2 tasks need a person"),
        ({DeadLetterReason.FAILED: 2, DeadLetterReason.GIVEN_UP: 1}, Severity.BAD, "3 tasks need a person"),
        ({DeadLetterReason.BAD_ENTRY: 1}, Severity.BAD, "1 task needs a person"),
    ],
)
def test_tasks_that_need_a_person_are_told_and_worst_are_those_that_were_never_done(
    by_reason: Mapping[DeadLetterReason, int], level: Severity, what: str
) -> None:
    letters = DeadLetterCounts(by_reason=by_reason, oldest_at=NOON)
    finding = only(snapshot(fleet=fleet(dead_letters=letters)))
    assert (finding.level, finding.what, finding.since) == (level, what, NOON)
    assert finding.link == "/dead-letters"


def test_a_slow_server_is_told_with_what_an_answer_takes() -> None:
    finding = only(snapshot(database=ServerHealth(seconds=1.26, slow_since=NOON)))
    assert (finding.level, finding.what) == (Severity.WARNING, "PostgreSQL is slow: 1.3 s for an answer")


def test_answers_and_silences_are_dated_from_the_first_of_their_kind() -> None:
    silent = ServerHealth().after_silence(NOON, "refused").after_silence(NOW, "refused")
    assert silent.away_since == NOON
    assert silent.after_answer(NOW, 0.01) == ServerHealth(seconds=0.01)
    assert ServerHealth().after_answer(NOON, 0.7).after_answer(NOW, 0.8).slow_since == NOON


def test_no_worker_at_all_is_one_finding_and_not_one_for_each_queue() -> None:
    unserved = dict.fromkeys(Queue, NOON) | {Queue.ANALYTICS: NOON - MINUTE}
    finding = only(snapshot(fleet=fleet(workers=()), unserved_since=unserved))
    assert (finding.level, finding.what) == (Severity.BAD, "No worker is running")
    assert finding.since == NOON - MINUTE
    assert "flexiprice worker" in finding.advice
    since_before_it_looked = unserved | {Queue.MAINTENANCE: None}
    finding = only(snapshot(fleet=fleet(workers=()), unserved_since=since_before_it_looked))
    assert finding.since is None


def test_a_queue_without_a_worker_is_told_with_the_command_that_serves_it() -> None:
    waiting = fleet(queues=(queue(Queue.ANALYTICS, waiting=9, oldest_waiting=9 * MINUTE),))
    finding = only(snapshot(fleet=waiting, unserved_since={Queue.ANALYTICS: NOON}))
    assert (finding.what, finding.since) == ("No worker takes from analytics", NOON)
    assert "flexiprice worker --queues analytics" in finding.advice


def test_a_queue_whose_only_worker_drains_is_not_called_served() -> None:
    drains = fleet(workers=(worker(status=WorkerStatus.DRAINING),))
    finding = only(snapshot(fleet=drains, unserved_since={Queue.ANALYTICS: NOON}))
    assert (finding.level, finding.since) == (Severity.BAD, NOON)
    assert finding.what == "No worker takes from analytics: till-1:77 drains"
    assert "flexiprice worker --queues analytics" in finding.advice


def test_a_queue_is_unserved_from_when_its_only_worker_began_to_drain() -> None:
    before = snapshot()
    assert _unserved(fleet(), before) == {}
    drains = fleet(workers=(worker(status=WorkerStatus.DRAINING),))
    assert _unserved(drains, before) == dict.fromkeys(Queue, NOW)
    beside = fleet(workers=(worker(status=WorkerStatus.DRAINING), worker()))
    assert _unserved(beside, before) == {}


def test_alert_for_undeclared_tasks_asks_for_another_worker_and_not_for_more() -> None:
    unknown = UndeclaredTask(task="count_stock", queue=Queue.DISCOUNTS, waiting=1, since=NOON)
    waiting = queue(waiting=1, oldest_waiting=9 * MINUTE)
    finding = only(snapshot(fleet=fleet(queues=(waiting,), undeclared=(unknown,))))
    assert finding.what == "No worker declares count_stock: 1 job waits in discounts"
    assert finding.since == NOON
    assert "start or restart a worker of the version that has it" in finding.advice.lower()
    others = replace(waiting, waiting=9)
    found = verdict(snapshot(fleet=fleet(queues=(others,), undeclared=(unknown,))))
    assert found[0].what == "Queue discounts is behind: 9 jobs wait"


def test_a_task_given_up_as_unknown_is_not_advised_to_be_retried_at_once() -> None:
    letters = DeadLetterCounts(by_reason={DeadLetterReason.UNKNOWN_TASK: 1}, oldest_at=NOON)
    assert (
        "a worker of the version that has it before you retry"
        in only(snapshot(fleet=fleet(dead_letters=letters))).advice
    )


@pytest.mark.parametrize(("oldest", "found"), [(MINUTE, 0), (2 * MINUTE, 1)])
def test_a_queue_is_behind_where_its_first_job_waits_for_more_than_a_minute(
    oldest: timedelta, found: int
) -> None:
    findings = verdict(snapshot(fleet=fleet(queues=(queue(waiting=7, oldest_waiting=oldest),))))
    assert len(findings) == found
    assert all(finding.since == NOW - oldest for finding in findings)


@pytest.mark.parametrize(("before", "now", "found"), [(10, 59, 0), (10, 60, 1), (1000, 1060, 0)])
def test_a_queue_grows_where_it_holds_many_more_jobs_than_a_while_ago(
    before: int, now: int, found: int
) -> None:
    def point(waiting: int, age: timedelta) -> QueuePoint:
        return QueuePoint(at=NOW - age, held={}, waiting={Queue.DISCOUNTS: waiting}, oldest={})

    points = (point(before, 2 * MINUTE), point(now, STEP))
    state = queue(waiting=now, oldest_waiting=STEP)
    assert len(verdict(snapshot(fleet=fleet(queues=(state,)), queue_points=points))) == found


def test_alert_names_paused_queues_and_schedules_and_by_whom() -> None:
    paused = {"paused_at": NOON, "paused_by": "night shift"}
    finding = only(snapshot(fleet=fleet(queues=(queue(waiting=1, oldest_waiting=9 * MINUTE, **paused),))))
    assert (finding.level, finding.what) == (Severity.WARNING, "Queue discounts is paused by night shift")
    assert finding.advice.startswith("1 job waits.")
    finding = only(snapshot(fleet=fleet(schedules=(schedule(**paused),))))
    assert finding.what == "Schedule recompute is paused by night shift"


def test_a_paused_queue_in_which_nothing_waits_yet_is_a_warning_too() -> None:
    finding = only(snapshot(fleet=fleet(queues=(queue(paused_at=NOON, paused_by="night shift"),))))
    assert (finding.level, finding.since) == (Severity.WARNING, NOON)
    assert finding.advice.startswith("0 jobs wait.")


def test_a_schedule_is_late_from_the_tick_that_nobody_took() -> None:
    missed = schedule(last_tick_at=NOON - 180 * MINUTE)
    finding = only(snapshot(fleet=fleet(schedules=(missed,))))
    assert (finding.level, finding.since) == (Severity.BAD, NOON - 120 * MINUTE)
    assert late_since(replace(missed, read_at=NOON - 120 * MINUTE)) is None
    assert late_since(replace(missed, paused_at=NOON)) is None
    assert late_since(replace(missed, last_tick_at=None)) is None


def test_a_schedule_is_judged_by_the_lines_that_workers_publish() -> None:
    nightly = ScheduleLine(crontab="0 2 * * *", time_zone="UTC", worker_ids=("one",))
    taken = schedule(last_tick_at=NOON - 600 * MINUTE, lines=(nightly,))
    assert verdict(snapshot(fleet=fleet(schedules=(taken,)))) == ()
    hourly = ScheduleLine(crontab="0 * * * *", time_zone="UTC", worker_ids=("two",))
    torn = schedule(lines=(nightly, hourly))
    finding = only(snapshot(fleet=fleet(schedules=(torn,))))
    assert (finding.level, finding.what) == (Severity.WARNING, "Workers disagree when recompute runs")
    assert "0 2 * * * UTC on one; 0 * * * * UTC on two" in finding.advice


@pytest.mark.parametrize(
    ("drift", "level"),
    [(2.0, None), (-2.5, Severity.WARNING), (60.0, Severity.WARNING), (-61.0, Severity.BAD)],
)
def test_a_workers_clock_that_is_wrong_is_told(drift: float, level: Severity | None) -> None:
    findings = verdict(snapshot(fleet=fleet(workers=(replace(worker(), clock_drift_seconds=drift),))))
    assert [finding.level for finding in findings] == ([] if level is None else [level])
    assert all(f"{abs(drift):.1f} s" in finding.what for finding in findings)


def test_a_task_that_fails_is_told_with_its_error_and_a_link_to_its_failed_runs() -> None:
    finding = only(snapshot(history=history(failing=(failing(),))))
    assert finding == Alert(
        Severity.WARNING,
        "recompute_batches failed the last 3 times it ran",
        NOON,
        "Its last error: there is no such batch",
        "/tasks?task=recompute_batches&status=failed",
    )
    assert only(snapshot(history=history(failing=(failing(scheduled=True),)))).level is Severity.BAD
    once = only(snapshot(history=history(failing=(failing(scheduled=True, in_a_row=1, failed=1),))))
    assert (once.level, once.what) == (Severity.WARNING, "recompute_batches failed when it last ran")


@pytest.mark.parametrize(
    ("age", "link"),
    [
        (timedelta(days=2), "&window=7d"),
        (timedelta(days=20), "&window=30d"),
        (timedelta(days=90), f"&since={NOW - timedelta(days=90):%Y-%m-%dT%H}%3A00%3A30Z"),
    ],
)
def test_the_link_to_failed_runs_looks_back_as_far_as_they_are(age: timedelta, link: str) -> None:
    finding = only(snapshot(history=history(failing=(failing(since=NOW - age),))))
    assert finding.link == "/tasks?task=recompute_batches&status=failed" + link
    query = read_task_query(dict(parse_qsl(finding.link.partition("?")[2])))
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
    findings = verdict(snapshot(history=history(trend=trend)))
    assert [finding.since for finding in findings] == [NOW - 2 * MINUTE] * found


def test_a_worker_that_stalls_and_workers_of_two_versions_are_told() -> None:
    workers = (worker(), worker(version="1.1", loop_lag_seconds=2.5))
    stalls, versions = verdict(snapshot(fleet=fleet(workers=workers)))
    assert "till-1:77 stalls" in stalls.what
    assert (versions.level, versions.what) == (Severity.NOTE, "Workers of different versions run: 1.0, 1.1")


def test_alerts_are_sorted_by_severity_and_by_age() -> None:
    paused = queue(Queue.ANALYTICS, paused_at=NOON - 60 * MINUTE)
    late = schedule(last_tick_at=NOON - 180 * MINUTE)
    waits = schedule(paused_at=NOON - 600 * MINUTE)
    slow = ServerHealth(seconds=1.0, slow_since=NOON - 90 * MINUTE)
    found = verdict(snapshot(database=slow, fleet=fleet(queues=(paused,), schedules=(waits, late))))
    assert [finding.level for finding in found] == [
        Severity.BAD,
        Severity.WARNING,
        Severity.WARNING,
        Severity.NOTE,
    ]
    assert found[1].what.startswith("PostgreSQL is slow")

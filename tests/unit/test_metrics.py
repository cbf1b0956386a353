"""Metrics, with names and units by Prometheus's own rules."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from flexiprice.metrics import Metrics, PoolUse
from flexiprice.snapshots import DatabaseSnapshot, QueueSnapshot, ShopSnapshot, Snapshot, WorkersSnapshot

SECOND = timedelta(seconds=1)


def families(metrics: Metrics, *snapshots: Snapshot | None) -> list[Metric]:
    """The metrics as a Prometheus server reads them."""
    return list(text_string_to_metric_families(metrics.render(*snapshots).decode()))


def value(read: Iterable[Metric], name: str, **labels: str) -> float | None:
    """The value of one series, or None where there is no such series."""
    found = [
        sample.value
        for family in read
        for sample in family.samples
        if (sample.name, sample.labels) == (name, labels)
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_runs_are_counted_by_task_and_status_and_timed_by_task() -> None:
    metrics = Metrics()
    metrics.record_start("cleanup", waited=2 * SECOND)
    metrics.record_end("cleanup", status="failed", ran=7 * SECOND)
    metrics.record_start("cleanup", waited=timedelta(milliseconds=3))
    read = families(metrics)
    assert value(read, "flexiprice_task_runs_total", task="cleanup", status="failed") == 1
    assert value(read, "flexiprice_tasks_running", task="cleanup") == 1
    assert value(read, "flexiprice_task_run_duration_seconds_sum", task="cleanup") == 7
    assert value(read, "flexiprice_task_run_duration_seconds_bucket", task="cleanup", le="5.0") == 0
    assert value(read, "flexiprice_task_run_duration_seconds_bucket", task="cleanup", le="10.0") == 1
    assert value(read, "flexiprice_task_wait_duration_seconds_count", task="cleanup") == 2
    assert value(read, "flexiprice_task_wait_duration_seconds_bucket", task="cleanup", le="0.005") == 1


def test_a_job_that_starts_before_it_is_due_by_another_clock_has_not_waited() -> None:
    metrics = Metrics()
    metrics.record_start("cleanup", waited=-SECOND)
    assert value(families(metrics), "flexiprice_task_wait_duration_seconds_sum", task="cleanup") == 0


def test_a_task_that_has_not_run_yet_is_shown_as_zero() -> None:
    metrics = Metrics()
    assert value(families(metrics), "flexiprice_task_runs_total", task="cleanup", status="failed") is None
    metrics.expect(["cleanup"], ["succeeded", "failed"])
    read = families(metrics)
    assert value(read, "flexiprice_task_runs_total", task="cleanup", status="failed") == 0
    assert value(read, "flexiprice_task_run_duration_seconds_count", task="cleanup") == 0


def test_runtime_metrics_count_recoveries_dead_letters_drops_and_loop_blocks() -> None:
    metrics = Metrics()
    metrics.record_recovered(3)
    metrics.record_quarantined("worker_lost")
    metrics.record_dropped_records(20)
    metrics.record_loop_block()
    metrics.observe_loop_lag(0.02)
    read = families(metrics)
    assert value(read, "flexiprice_jobs_recovered_total") == 3
    assert value(read, "flexiprice_jobs_quarantined_total", reason="worker_lost") == 1
    assert value(read, "flexiprice_run_records_dropped_total") == 20
    assert value(read, "flexiprice_event_loop_blocks_total") == 1
    assert value(read, "flexiprice_event_loop_lag_seconds_bucket", le="0.01") == 0
    assert value(read, "flexiprice_event_loop_lag_seconds_bucket", le="0.05") == 1


def test_a_snapshot_of_redis_is_told_with_the_rest() -> None:
    snapshot = WorkersSnapshot(
        workers_alive=2,
        queues={
            "discounts": QueueSnapshot(
                waiting=5, deferred=1, running=3, workers=2, oldest_waiting=90 * SECOND
            ),
            "analytics": QueueSnapshot(waiting=0, deferred=0, running=0),
        },
        schedule_lag={"update_price_history": 30 * SECOND},
        redis_risks={"evicts": True, "nearly_full": False},
    )
    read = families(Metrics(), snapshot)
    assert value(read, "flexiprice_workers_alive") == 2
    assert value(read, "flexiprice_queue_workers", queue="discounts") == 2
    assert value(read, "flexiprice_queue_workers", queue="analytics") == 0
    assert value(read, "flexiprice_redis_risk", risk="evicts") == 1
    assert value(read, "flexiprice_redis_risk", risk="nearly_full") == 0
    assert value(read, "flexiprice_queue_depth", queue="discounts") == 5
    assert value(read, "flexiprice_queue_deferred", queue="discounts") == 1
    assert value(read, "flexiprice_queue_running", queue="discounts") == 3
    assert value(read, "flexiprice_queue_oldest_waiting_seconds", queue="discounts") == 90
    assert value(read, "flexiprice_queue_oldest_waiting_seconds", queue="analytics") == 0
    assert value(read, "flexiprice_schedule_lag_seconds", schedule="update_price_history") == 30


def test_shop_snapshot_has_discounts_and_the_last_success_of_each_task() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    shop = ShopSnapshot(discounts=7, expired_discounts=2, last_success={"cleanup": noon})
    read = families(Metrics(), None, shop)
    assert value(read, "flexiprice_discounts_open") == 7
    assert value(read, "flexiprice_discounts_expired") == 2
    ended = value(read, "flexiprice_task_last_success_timestamp_seconds", task="cleanup")
    assert ended == noon.timestamp()


def test_a_worker_tells_whether_the_database_takes_work_as_it_is_at_each_scrape() -> None:
    metrics, refused = Metrics(), list[str]()
    metrics.watch_database(lambda: not refused)
    assert value(families(metrics), "flexiprice_database_takes_work") == 1
    refused.append("the disk is full")
    assert value(families(metrics), "flexiprice_database_takes_work") == 0


def test_requests_are_counted_by_the_class_of_their_answer_from_zero_on() -> None:
    metrics = Metrics()
    metrics.expect_requests()
    metrics.record_request(status=503, seconds=0.2)
    read = families(metrics)
    assert value(read, "flexiprice_api_request_duration_seconds_count", status="5xx") == 1
    assert value(read, "flexiprice_api_request_duration_seconds_sum", status="5xx") == 0.2
    assert value(read, "flexiprice_api_request_duration_seconds_count", status="2xx") == 0


def test_without_a_snapshot_its_metrics_are_absent_and_not_zero() -> None:
    read = families(Metrics())
    assert value(read, "flexiprice_workers_alive") is None
    assert "flexiprice_queue_depth" not in {family.name for family in read}


def test_the_database_pool_is_read_anew_for_each_scrape() -> None:
    metrics = Metrics()
    uses = iter([PoolUse(in_use=1, idle=2, size=10), PoolUse(in_use=4, idle=0, size=10)])
    metrics.watch_database_pool(lambda: next(uses))
    first, second = families(metrics), families(metrics)
    assert value(first, "flexiprice_database_connections", state="in_use") == 1
    assert value(second, "flexiprice_database_connections", state="in_use") == 4
    assert value(second, "flexiprice_database_connections_max") == 10


def test_the_process_itself_is_told() -> None:
    resident = value(families(Metrics()), "process_resident_memory_bytes")
    assert resident is not None
    assert resident > 1_000_000


def test_two_processes_worth_of_metrics_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.record_recovered()
    assert value(families(other), "flexiprice_jobs_recovered_total") == 0


@pytest.mark.parametrize(
    "family",
    families(
        Metrics(),
        WorkersSnapshot(workers_alive=0),
        ShopSnapshot(discounts=0, expired_discounts=0, last_success={}),
        DatabaseSnapshot(takes_work=True),
    ),
    ids=lambda family: family.name,
)
def test_every_metric_is_named_as_prometheus_asks(family: Metric) -> None:
    assert family.name.startswith(("flexiprice_", "process_"))
    assert family.documentation
    if family.type == "histogram":
        assert family.name.endswith("_seconds")

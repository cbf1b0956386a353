"""Metrics that a scrape reads from Redis and PostgreSQL: workers, queues, schedules and the shop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client.metrics_core import GaugeMetricFamily


class Snapshot(Protocol):
    """A state at one moment, for Prometheus."""

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Yields its metrics."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue at one moment.

    Attributes:
        waiting: number of due jobs that no worker has claimed.
        deferred: number of jobs that are not due yet.
        running: number of running jobs.
        workers: number of live workers that consume it; draining ones do not.
        oldest_waiting: time since the first of the waiting jobs was due.
    """

    waiting: int
    deferred: int
    running: int
    workers: int = 0
    oldest_waiting: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSnapshot:
    """Workers, queues, schedules and dead letters in Redis at one moment.

    Attributes:
        workers_alive: number of workers whose lease has not expired.
        queues: queues by name.
        schedule_lag: by schedule, time since its first tick without a job was due; zero if it is on time,
            paused, or has never ticked.
        dead_letters: number of dead letters by reason.
        clock_drift: largest difference between a live worker's clock and that of Redis.
        schedule_disagreements: number of schedules for which live workers have different crontab lines or
            time zones.
        redis_risks: by risk, whether the configuration of Redis endangers jobs; empty if its user may not
            read it.
    """

    workers_alive: int
    queues: Mapping[str, QueueSnapshot] = field(default_factory=dict[str, QueueSnapshot])
    schedule_lag: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])
    dead_letters: Mapping[str, int] = field(default_factory=dict[str, int])
    clock_drift: timedelta = timedelta(0)
    schedule_disagreements: int = 0
    redis_risks: Mapping[str, bool] = field(default_factory=dict[str, bool])

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Yields the metrics."""
        queues = self.queues.items()
        yield GaugeMetricFamily(
            "flexiprice_workers_alive", "Workers whose lease has not expired.", value=self.workers_alive
        )
        yield GaugeMetricFamily(
            "flexiprice_worker_clock_drift_seconds",
            "Largest difference between a live worker's clock and Redis's; above 60 it runs no schedule.",
            value=self.clock_drift.total_seconds(),
        )
        yield GaugeMetricFamily(
            "flexiprice_schedule_disagreements",
            "Schedules for which live workers have different crontab lines or time zones.",
            value=self.schedule_disagreements,
        )
        for name, documentation, counted in (
            (
                "workers",
                "Live workers that consume it.",
                {name: each.workers for name, each in queues},
            ),
            ("depth", "Due jobs that wait.", {name: each.waiting for name, each in queues}),
            ("deferred", "Jobs not yet due.", {name: each.deferred for name, each in queues}),
            ("running", "Running jobs.", {name: each.running for name, each in queues}),
        ):
            yield by_label("queue", f"flexiprice_queue_{name}", documentation, counted)
        yield by_label(
            "queue",
            "flexiprice_queue_oldest_waiting_seconds",
            "Time since the first of the waiting jobs was due.",
            {name: queue.oldest_waiting.total_seconds() for name, queue in queues},
        )
        yield by_label(
            "schedule",
            "flexiprice_schedule_lag_seconds",
            "Time since the first tick without a job was due.",
            {name: lag.total_seconds() for name, lag in self.schedule_lag.items()},
        )
        yield by_label(
            "reason",
            "flexiprice_dead_letters",
            "Dead letters: failed tasks that an operator must retry or dismiss.",
            self.dead_letters,
        )
        yield by_label(
            "risk",
            "flexiprice_redis_risk",
            "Whether Redis evicts keys when memory is short, keeps nothing on disk, or is nearly full.",
            self.redis_risks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSnapshot:
    """Discounts and successes of tasks in PostgreSQL at one moment.

    Attributes:
        discounts: number of discounts in force.
        expired_discounts: number of those whose batch has expired in every store's time zone.
        last_success: end of the latest success by task; lacks tasks that never succeeded.
    """

    discounts: int
    expired_discounts: int
    last_success: Mapping[str, datetime]

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Yields the metrics."""
        yield GaugeMetricFamily("flexiprice_discounts_open", "Discounts in force.", value=self.discounts)
        yield GaugeMetricFamily(
            "flexiprice_discounts_expired",
            "Discounts in force whose batch has expired; a recompute or the cleanup closes them.",
            value=self.expired_discounts,
        )
        yield by_label(
            "task",
            "flexiprice_task_last_success_timestamp_seconds",
            "End of the latest successful run of a scheduled task.",
            {task: ended_at.timestamp() for task, ended_at in self.last_success.items()},
        )


@dataclass(frozen=True, slots=True)
class DatabaseSnapshot:
    """Whether PostgreSQL accepts work at one moment."""

    takes_work: bool

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Yields the metric."""
        yield GaugeMetricFamily(
            "flexiprice_database_takes_work",
            "Whether PostgreSQL accepts reads and writes of this process.",
            value=self.takes_work,
        )


def by_label(label: str, name: str, documentation: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """Makes a metric with one label from the values by label value."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value_of_label, value in values.items():
        family.add_metric([value_of_label], value)
    return family

"""What a scrape reads beside what its process measured: how all workers are, and how the shop is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client.metrics_core import GaugeMetricFamily


class Snapshot(Protocol):
    """Something at one moment, for Prometheus."""

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Its metrics."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue at one moment.

    Attributes:
        waiting: jobs that are due and that nobody runs yet.
        deferred: jobs that are not due yet.
        running: jobs that a worker runs.
        workers: live workers that take jobs from it; those that drain do not.
        oldest_waiting: how long the first of the waiting jobs has been due.
    """

    waiting: int
    deferred: int
    running: int
    workers: int = 0
    oldest_waiting: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSnapshot:
    """What Redis knows of all workers, and of itself, at one moment.

    Attributes:
        workers_alive: workers whose lease has not lapsed.
        queues: by name.
        schedule_lag: by schedule, how long its first tick that nobody has taken has been overdue; zero
            where it is on time, paused, or has never ticked.
        dead_letters: by reason, how many tasks need a person.
        clock_drift: the largest distance of a live worker's clock from that of Redis.
        schedule_disagreements: schedules that live workers tick by different crontab lines or zones.
        redis_risks: whether Redis, as it is set up, puts jobs at this risk; none where its user may not ask.
    """

    workers_alive: int
    queues: Mapping[str, QueueSnapshot] = field(default_factory=dict[str, QueueSnapshot])
    schedule_lag: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])
    dead_letters: Mapping[str, int] = field(default_factory=dict[str, int])
    clock_drift: timedelta = timedelta(0)
    schedule_disagreements: int = 0
    redis_risks: Mapping[str, bool] = field(default_factory=dict[str, bool])

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Its metrics."""
        queues = self.queues.items()
        yield GaugeMetricFamily(
            "flexiprice_workers_alive", "Workers whose lease has not lapsed.", value=self.workers_alive
        )
        yield GaugeMetricFamily(
            "flexiprice_worker_clock_drift_seconds",
            "The largest distance of a live worker's clock from that of Redis; beyond 60 it ticks nothing.",
            value=self.clock_drift.total_seconds(),
        )
        yield GaugeMetricFamily(
            "flexiprice_schedule_disagreements",
            "Schedules that live workers tick by different crontab lines or time zones.",
            value=self.schedule_disagreements,
        )
        for name, documentation, counted in (
            ("workers", "Workers that take jobs from it.", {name: each.workers for name, each in queues}),
            ("depth", "Jobs that wait.", {name: each.waiting for name, each in queues}),
            ("deferred", "Jobs not yet due.", {name: each.deferred for name, each in queues}),
            ("running", "Jobs that run.", {name: each.running for name, each in queues}),
        ):
            yield by_label("queue", f"flexiprice_queue_{name}", documentation, counted)
        yield by_label(
            "queue",
            "flexiprice_queue_oldest_waiting_seconds",
            "How long the first of the waiting jobs has been due.",
            {name: queue.oldest_waiting.total_seconds() for name, queue in queues},
        )
        yield by_label(
            "schedule",
            "flexiprice_schedule_lag_seconds",
            "How long the first tick that nobody has taken has been overdue.",
            {name: lag.total_seconds() for name, lag in self.schedule_lag.items()},
        )
        yield by_label(
            "reason",
            "flexiprice_dead_letters",
            "Tasks that ended without their work being done and wait for a person to retry or dismiss them.",
            self.dead_letters,
        )
        yield by_label(
            "risk",
            "flexiprice_redis_risk",
            "Whether Redis drops keys when memory is short, keeps nothing on disk, or is nearly full.",
            self.redis_risks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSnapshot:
    """What PostgreSQL knows of prices, and of the tasks that keep them, at one moment.

    Attributes:
        discounts: discounts in force.
        expired_discounts: those of them whose batch has expired in every store's time zone.
        last_success: by task, when its latest run that succeeded ended; no task that never succeeded.
    """

    discounts: int
    expired_discounts: int
    last_success: Mapping[str, datetime]

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Its metrics."""
        yield GaugeMetricFamily("flexiprice_discounts_open", "Discounts in force.", value=self.discounts)
        yield GaugeMetricFamily(
            "flexiprice_discounts_expired",
            "Discounts in force whose batch has expired, which a recompute or the cleanup closes.",
            value=self.expired_discounts,
        )
        yield by_label(
            "task",
            "flexiprice_task_last_success_timestamp_seconds",
            "When the latest run of a scheduled task that succeeded ended.",
            {task: ended_at.timestamp() for task, ended_at in self.last_success.items()},
        )


@dataclass(frozen=True, slots=True)
class DatabaseSnapshot:
    """Whether PostgreSQL takes work at one moment."""

    takes_work: bool

    def families(self) -> Iterator[GaugeMetricFamily]:
        """Its one metric."""
        yield GaugeMetricFamily(
            "flexiprice_database_takes_work",
            "Whether PostgreSQL takes reads and writes, as this process found.",
            value=self.takes_work,
        )


def by_label(label: str, name: str, documentation: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A metric of one label with a value for each of the label's values."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value_of_label, value in values.items():
        family.add_metric([value_of_label], value)
    return family

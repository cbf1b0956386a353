"""Prometheus metrics: measured in this process, or read for a scrape (see `snapshots`)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from flexiprice.snapshots import DatabaseSnapshot, Snapshot, by_label

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# From a job of one batch to a recompute that runs into its time limit.
_TASK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800)
_REQUEST_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """Connections of a pool at one moment, and its size."""

    in_use: int
    idle: int
    size: int


class Metrics:
    """The metrics of one process.

    Label values are names of declared tasks, queues and schedules, never input from outside: each new label
    value is another time series in Prometheus.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._runs = Counter(
            "flexiprice_task_runs", "Runs that have ended.", ["task", "status"], registry=self.registry
        )
        self._running = Gauge(
            "flexiprice_tasks_running", "Runs of this process right now.", ["task"], registry=self.registry
        )
        self._run_time = Histogram(
            "flexiprice_task_run_duration_seconds",
            "Time from the start of a run to its end.",
            ["task"],
            buckets=_TASK_BUCKETS,
            registry=self.registry,
        )
        self._wait_time = Histogram(
            "flexiprice_task_wait_duration_seconds",
            "Time from when a job was due to the start of its run.",
            ["task"],
            buckets=_TASK_BUCKETS,
            registry=self.registry,
        )
        self._recovered = Counter(
            "flexiprice_jobs_recovered", "Jobs requeued from dead workers.", registry=self.registry
        )
        self._quarantined = Counter(
            "flexiprice_jobs_quarantined", "Jobs moved to dead letters.", ["reason"], registry=self.registry
        )
        self._records_dropped = Counter(
            "flexiprice_run_records_dropped",
            "Run records dropped because the database was unavailable for too long.",
            registry=self.registry,
        )
        self._loop_lag = Histogram(
            "flexiprice_event_loop_lag_seconds",
            "Delay between when a callback of the event loop was due and when it ran.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        self._loop_blocks = Counter(
            "flexiprice_event_loop_blocks", "Times that the event loop was blocked.", registry=self.registry
        )
        self._requests = Histogram(
            "flexiprice_api_request_duration_seconds",
            "Time from a request to the start of its response, requested waits included.",
            ["status"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )

    def expect(self, tasks: Iterable[str], statuses: Iterable[str]) -> None:
        """Initialises the series of tasks to zero, so that `increase()` sees the first failure."""
        final_statuses = tuple(statuses)
        for task in tasks:
            self._running.labels(task)
            self._run_time.labels(task)
            self._wait_time.labels(task)
            for status in final_statuses:
                self._runs.labels(task, status)

    def expect_requests(self) -> None:
        """Initialises the series of every status class to zero, so that `increase()` sees the first error."""
        for first_digit in range(2, 6):
            self._requests.labels(f"{first_digit}xx")

    def record_request(self, *, status: int, seconds: float) -> None:
        """Records a request whose response began after `seconds`."""
        self._requests.labels(f"{status // 100}xx").observe(seconds)

    def record_start(self, task: str, *, waited: timedelta) -> None:
        """Records the start of a run whose job has been due for `waited`."""
        self._running.labels(task).inc()
        self._wait_time.labels(task).observe(max(0.0, waited.total_seconds()))

    def record_end(self, task: str, *, status: str, ran: timedelta) -> None:
        """Records the end of a started run."""
        self._running.labels(task).dec()
        self._runs.labels(task, status).inc()
        self._run_time.labels(task).observe(ran.total_seconds())

    def record_refusal(self, task: str, *, status: str) -> None:
        """Records a job that ended without being started."""
        self._runs.labels(task, status).inc()

    def record_recovered(self, jobs: int = 1) -> None:
        """Records jobs requeued from a dead worker."""
        self._recovered.inc(jobs)

    def record_quarantined(self, reason: str, jobs: int = 1) -> None:
        """Records jobs moved to dead letters; `reason` is the code of their error."""
        self._quarantined.labels(reason).inc(jobs)

    def record_dropped_records(self, records: int = 1) -> None:
        """Records dropped run records."""
        self._records_dropped.inc(records)

    def observe_loop_lag(self, seconds: float) -> None:
        """Records a delay of the event loop."""
        self._loop_lag.observe(seconds)

    def record_loop_block(self) -> None:
        """Records a block of the event loop."""
        self._loop_blocks.inc()

    def watch_database_pool(self, read: Callable[[], PoolUse]) -> None:
        """Exposes a pool of database connections; each scrape calls `read`, on any thread."""
        self.registry.register(ReadOnScrape(lambda: _pool_families(read())))

    def watch_database(self, takes_work: Callable[[], bool]) -> None:
        """Exposes whether PostgreSQL accepts work; each scrape calls `takes_work`, on any thread."""
        self.registry.register(ReadOnScrape(lambda: DatabaseSnapshot(takes_work()).families()))

    def render(self, *snapshots: Snapshot | None) -> bytes:
        """Renders all metrics in Prometheus's text format, of type `CONTENT_TYPE`.

        Args:
            *snapshots: metrics of other sources; None for an unavailable one, whose metrics are left out.
        """
        read = [ReadOnScrape(snapshot.families) for snapshot in snapshots if snapshot is not None]
        return b"".join(map(generate_latest, [self.registry, *read]))


class ReadOnScrape(Collector):
    """A collector that reads its metrics at each scrape."""

    def __init__(self, read: Callable[[], Iterator[GaugeMetricFamily]]) -> None:
        """Takes the function that reads the metrics; it may be called on any thread."""
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Reads the metrics."""
        return self._read()


def _pool_families(use: PoolUse) -> Iterator[GaugeMetricFamily]:
    connections = {"in_use": use.in_use, "idle": use.idle}
    yield by_label("state", "flexiprice_database_connections", "Open database connections.", connections)
    yield GaugeMetricFamily(
        "flexiprice_database_connections_max", "Connections that this process may open.", value=use.size
    )

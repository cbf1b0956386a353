"""What Prometheus is told: measured by this process, or read for a scrape (see `snapshots`)."""

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
    """The connections that a pool holds at one moment, and how many it may hold."""

    in_use: int
    idle: int
    size: int


class Metrics:
    """The metrics of one process; each process makes one.

    Labels are the names of declared tasks, queues and schedules, and never what came from outside: every
    new value of a label is a series that Prometheus keeps.
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
            "flexiprice_jobs_recovered", "Jobs taken back from lost workers.", registry=self.registry
        )
        self._quarantined = Counter(
            "flexiprice_jobs_quarantined", "Jobs set aside for good.", ["reason"], registry=self.registry
        )
        self._records_dropped = Counter(
            "flexiprice_run_records_dropped",
            "Records of runs that were given up because the database was away for too long.",
            registry=self.registry,
        )
        self._loop_lag = Histogram(
            "flexiprice_event_loop_lag_seconds",
            "How late the event loop comes to what is due.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )
        self._loop_blocks = Counter(
            "flexiprice_event_loop_blocks", "Times that the event loop stood still.", registry=self.registry
        )
        self._requests = Histogram(
            "flexiprice_api_request_duration_seconds",
            "Time from a request to the beginning of its answer, waits that it asked for included.",
            ["status"],
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )

    def expect(self, tasks: Iterable[str], statuses: Iterable[str]) -> None:
        """Shows tasks that have not run yet as zeroes, so that the first failure is seen as a rise."""
        endings = tuple(statuses)
        for task in tasks:
            self._running.labels(task)
            self._run_time.labels(task)
            self._wait_time.labels(task)
            for status in endings:
                self._runs.labels(task, status)

    def expect_requests(self) -> None:
        """Shows answers of every class as zeroes, so that the first error is seen as a rise."""
        for leading in range(2, 6):
            self._requests.labels(f"{leading}xx")

    def record_request(self, *, status: int, seconds: float) -> None:
        """Notes that the API began to answer a request, so long after it came."""
        self._requests.labels(f"{status // 100}xx").observe(seconds)

    def record_start(self, task: str, *, waited: timedelta) -> None:
        """Notes that a run begins, so long after its job was due."""
        self._running.labels(task).inc()
        self._wait_time.labels(task).observe(max(0.0, waited.total_seconds()))

    def record_end(self, task: str, *, status: str, ran: timedelta) -> None:
        """Notes that a run that was started has ended."""
        self._running.labels(task).dec()
        self._runs.labels(task, status).inc()
        self._run_time.labels(task).observe(ran.total_seconds())

    def record_refusal(self, task: str, *, status: str) -> None:
        """Notes that a job has ended without being started."""
        self._runs.labels(task, status).inc()

    def record_recovered(self, jobs: int = 1) -> None:
        """Notes that jobs of a lost worker were given back."""
        self._recovered.inc(jobs)

    def record_quarantined(self, reason: str, jobs: int = 1) -> None:
        """Notes that jobs were set aside; `reason` is the error code that they failed with."""
        self._quarantined.labels(reason).inc(jobs)

    def record_dropped_records(self, records: int = 1) -> None:
        """Notes that records of the run history are lost."""
        self._records_dropped.inc(records)

    def observe_loop_lag(self, seconds: float) -> None:
        """Notes how late the event loop was."""
        self._loop_lag.observe(seconds)

    def record_loop_block(self) -> None:
        """Notes that the event loop stood still."""
        self._loop_blocks.inc()

    def watch_database_pool(self, read: Callable[[], PoolUse]) -> None:
        """Shows a pool of database connections; it is read anew for each scrape, on any thread."""
        self.registry.register(ReadOnScrape(lambda: _pool_families(read())))

    def watch_database(self, takes_work: Callable[[], bool]) -> None:
        """Shows whether PostgreSQL takes work; it is asked anew for each scrape, on any thread."""
        self.registry.register(ReadOnScrape(lambda: DatabaseSnapshot(takes_work()).families()))

    def render(self, *snapshots: Snapshot | None) -> bytes:
        """Everything in Prometheus's text format, as `CONTENT_TYPE` says.

        Args:
            *snapshots: what others know; None for who cannot be asked, whose metrics are absent then.
        """
        read = [ReadOnScrape(snapshot.families) for snapshot in snapshots if snapshot is not None]
        return b"".join(map(generate_latest, [self.registry, *read]))


class ReadOnScrape(Collector):
    """Metrics that are read when they are asked for."""

    def __init__(self, read: Callable[[], Iterator[GaugeMetricFamily]]) -> None:
        """Takes what reads them, on whatever thread the scrape is answered."""
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As the library asks."""
        return self._read()


def _pool_families(use: PoolUse) -> Iterator[GaugeMetricFamily]:
    connections = {"in_use": use.in_use, "idle": use.idle}
    yield by_label("state", "flexiprice_database_connections", "Connections that are open.", connections)
    yield GaugeMetricFamily(
        "flexiprice_database_connections_max", "Connections that this process may open.", value=use.size
    )

"""Queries of the statistics page and its time windows."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.run import RunStatus
from flexiprice.resources import Resources
from flexiprice.runs.pages import RunOrder, read_run_page
from flexiprice.runs.query import Run, RunFilter
from flexiprice.runs.statistics import TaskStatistics, get_run_statistics
from flexiprice.runs.timeseries import RunHistograms, TrendBucket, get_run_histograms, get_run_trend

_SLOWEST: Final = 10


@dataclass(frozen=True, slots=True)
class Window:
    """A time window that ends now.

    Attributes:
        name: name on the page.
        length: length of the window.
        step: length of one step of the charts.
        max_age: seconds for which a report of this window is cached.
    """

    name: str
    length: timedelta
    step: timedelta
    max_age: float


WINDOWS: Final = {
    "1h": Window("Last hour", timedelta(hours=1), timedelta(minutes=1), 5),
    "6h": Window("Last 6 hours", timedelta(hours=6), timedelta(minutes=5), 10),
    "24h": Window("Last 24 hours", timedelta(days=1), timedelta(minutes=30), 15),
    "7d": Window("Last 7 days", timedelta(days=7), timedelta(hours=3), 60),
    "30d": Window("Last 30 days", timedelta(days=30), timedelta(hours=12), 120),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsReport:
    """Statistics of the runs in a window.

    Attributes:
        tasks: figures of each task.
        trend: runs by the step in which they began.
        histograms: histograms of wait and run times.
        slowest: the slowest runs.
    """

    tasks: tuple[TaskStatistics, ...]
    trend: tuple[TrendBucket, ...]
    histograms: RunHistograms
    slowest: tuple[Run, ...]


async def read_statistics(resources: Resources, window: Window, task: str) -> StatisticsReport:
    """Reads the statistics of a window that ends now.

    Args:
        resources: connections to PostgreSQL and Redis.
        window: the window.
        task: name of the task; empty for all tasks.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    name = task or None
    with database_errors():
        async with resources.sessions() as session:
            until = await database_now(session)
            since = until - window.length
            slowest = await read_run_page(
                session,
                RunFilter(task=name, statuses=(RunStatus.SUCCEEDED, RunStatus.FAILED), since=since),
                order=RunOrder.DURATION,
                limit=_SLOWEST,
            )
            return StatisticsReport(
                tasks=await get_run_statistics(session, since=since, until=until, task=name),
                trend=await get_run_trend(session, since=since, until=until, step=window.step, task=name),
                histograms=await get_run_histograms(session, since=since, until=until, task=name),
                slowest=slowest.runs,
            )

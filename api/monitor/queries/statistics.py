"""What the page of statistics reads, and over what windows."""

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
    """How far back is looked, in steps of what length, and for how many seconds the answer holds."""

    name: str
    length: timedelta
    step: timedelta
    holds: float


WINDOWS: Final = {
    "1h": Window("Last hour", timedelta(hours=1), timedelta(minutes=1), 5),
    "6h": Window("Last 6 hours", timedelta(hours=6), timedelta(minutes=5), 10),
    "24h": Window("Last 24 hours", timedelta(days=1), timedelta(minutes=30), 15),
    "7d": Window("Last 7 days", timedelta(days=7), timedelta(hours=3), 60),
    "30d": Window("Last 30 days", timedelta(days=30), timedelta(hours=12), 120),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsReading:
    """What is shown of a window.

    Attributes:
        tasks: the figures of each task.
        trend: how runs went over time.
        spread: how long they waited and took.
        slowest: those that took longest.
    """

    tasks: tuple[TaskStatistics, ...]
    trend: tuple[TrendBucket, ...]
    spread: RunHistograms
    slowest: tuple[Run, ...]


async def read_statistics(resources: Resources, window: Window, task: str) -> StatisticsReading:
    """Reads the statistics of a window that ends now.

    Args:
        resources: the way to PostgreSQL.
        window: how far back.
        task: only of this one, unless it is empty.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    narrowed = task or None
    with database_errors():
        async with resources.sessions() as session:
            until = await database_now(session)
            since = until - window.length
            slowest = await read_run_page(
                session,
                RunFilter(task=narrowed, statuses=(RunStatus.SUCCEEDED, RunStatus.FAILED), since=since),
                order=RunOrder.DURATION,
                limit=_SLOWEST,
            )
            return StatisticsReading(
                tasks=await get_run_statistics(session, since=since, until=until, task=narrowed),
                trend=await get_run_trend(session, since=since, until=until, step=window.step, task=narrowed),
                spread=await get_run_histograms(session, since=since, until=until, task=narrowed),
                slowest=slowest.runs,
            )

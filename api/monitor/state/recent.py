"""What PostgreSQL says of the last minutes, read piece by piece so that looking costs it little."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.domain.run import RunStatus
from flexiprice.runs.query import Run, RunFilter, list_runs
from flexiprice.runs.recent import ScheduleRun, count_ended, list_schedule_runs
from flexiprice.runs.task_failures import FailingTask, list_failing_tasks
from flexiprice.runs.timeseries import TrendBucket, get_run_trend

STEP: Final = timedelta(seconds=5)
WINDOW: Final = timedelta(minutes=15)
RATE_WINDOW: Final = timedelta(minutes=1)
_FAILURES: Final = 8
_SCHEDULE_RUNS: Final = 50
# What may still change of what is read; older steps are read anew now and then, for runs that took long.
_FRESH: Final = timedelta(minutes=1)
_ALL_ANEW_EVERY: Final = timedelta(seconds=30)
_RATES_EVERY: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentActivity:
    """The last minutes, as they were recorded.

    Attributes:
        at: when it was read.
        trend: the runs that began in each step of the window, the oldest first.
        ended: jobs that left each queue for good in the last minute.
        schedule_runs: the latest runs of each schedule's task, the oldest first.
        failures: the runs that failed last, the latest first.
        failing: the tasks that fail, each by its own runs.
    """

    at: datetime
    trend: tuple[TrendBucket, ...]
    ended: Mapping[str, int]
    schedule_runs: Mapping[str, tuple[ScheduleRun, ...]]
    failures: tuple[Run, ...]
    failing: tuple[FailingTask, ...] = ()


class RecentActivityReader:
    """Reads the last minutes again and again, and only what may have changed."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, longest_run: timedelta) -> None:
        self._sessions = sessions
        self._longest_run = longest_run
        self._steps: dict[datetime, TrendBucket] = {}
        self._all_read_at: datetime | None = None
        self._ended: Mapping[str, int] = {}
        self._failing: tuple[FailingTask, ...] = ()
        self._rates_read_at: datetime | None = None

    async def read(
        self, now: datetime, *, tasks: Collection[str], scheduled: Collection[str]
    ) -> RecentActivity:
        """Reads how things stand.

        Args:
            now: the instant.
            tasks: names of the tasks that are judged by their runs.
            scheduled: names of those that run by themselves.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        with database_errors():
            async with self._sessions() as session:
                trend = await self._trend(session, now)
                if _is_over(self._rates_read_at, now, _RATES_EVERY):
                    since = now - RATE_WINDOW
                    self._ended = await count_ended(session, since=since, longest=self._longest_run)
                    self._failing = await list_failing_tasks(session, tasks, scheduled=scheduled)
                    self._rates_read_at = now
                schedule_runs = await list_schedule_runs(session, scheduled, limit=_SCHEDULE_RUNS)
                wanted = RunFilter(statuses=(RunStatus.FAILED, RunStatus.LOST))
                failures = await list_runs(session, wanted, limit=_FAILURES)
        return RecentActivity(
            at=now,
            trend=trend,
            ended=self._ended,
            schedule_runs=schedule_runs,
            failures=failures,
            failing=self._failing,
        )

    async def _trend(self, session: AsyncSession, now: datetime) -> tuple[TrendBucket, ...]:
        everything = _is_over(self._all_read_at, now, _ALL_ANEW_EVERY)
        since = now - (WINDOW if everything else _FRESH)
        read = await get_run_trend(session, since=since, until=now, step=STEP)
        if everything:
            self._steps.clear()
            self._all_read_at = now
        self._steps.update({bucket.starts_at: bucket for bucket in read})
        for old in [starts_at for starts_at in self._steps if starts_at <= now - WINDOW]:
            del self._steps[old]
        return tuple(self._steps[starts_at] for starts_at in sorted(self._steps))


def _is_over(last: datetime | None, now: datetime, every: timedelta) -> bool:
    return last is None or now - last >= every

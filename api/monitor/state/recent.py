"""Reads the runs of the last minutes from PostgreSQL, incrementally, so that polling costs little."""

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
# Recent steps are read at every poll; older ones only every `_FULL_REFRESH_EVERY`, for runs that took long.
_CHANGING: Final = timedelta(minutes=1)
_FULL_REFRESH_EVERY: Final = timedelta(seconds=30)
_RATES_EVERY: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentActivity:
    """The recorded runs of the last minutes.

    Attributes:
        at: when it was read.
        trend: runs by the step in which they began, the oldest step first.
        ended: jobs of each queue that ended in the last minute.
        schedule_runs: the latest runs of each schedule's task, the oldest first.
        failures: the latest failed runs, the latest first.
        failing: the tasks whose own latest runs fail.
    """

    at: datetime
    trend: tuple[TrendBucket, ...]
    ended: Mapping[str, int]
    schedule_runs: Mapping[str, tuple[ScheduleRun, ...]]
    failures: tuple[Run, ...]
    failing: tuple[FailingTask, ...] = ()


class RecentActivityReader:
    """Reads recent activity at every poll, and only the parts that may have changed."""

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
        """Reads recent activity.

        Args:
            now: the current instant.
            tasks: names of the tasks to look for failures of.
            scheduled: names of the scheduled tasks.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        with database_errors():
            async with self._sessions() as session:
                trend = await self._trend(session, now)
                if _is_due(self._rates_read_at, now, _RATES_EVERY):
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
        is_full = _is_due(self._all_read_at, now, _FULL_REFRESH_EVERY)
        since = now - (WINDOW if is_full else _CHANGING)
        read = await get_run_trend(session, since=since, until=now, step=STEP)
        if is_full:
            self._steps.clear()
            self._all_read_at = now
        self._steps.update({bucket.starts_at: bucket for bucket in read})
        for old in [starts_at for starts_at in self._steps if starts_at <= now - WINDOW]:
            del self._steps[old]
        return tuple(self._steps[starts_at] for starts_at in sorted(self._steps))


def _is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    return last is None or now - last >= every

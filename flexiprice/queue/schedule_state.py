"""The state of a schedule: its crontab lines, as the workers publish them, its ticks and its pause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flexiprice.queue.cron import next_tick
from flexiprice.settings import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """A crontab line of a schedule with its time zone, and the workers that publish it.

    Attributes:
        crontab: the crontab line.
        time_zone: the zone in which the line is read.
        worker_ids: the workers that publish it; empty if the line comes from the local settings.
    """

    crontab: str
    time_zone: str
    worker_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Formats the line for people."""
        return f"{self.crontab} {self.time_zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule at one moment.

    Attributes:
        name: the schedule's name.
        task: the task that it runs.
        queue: the queue of its jobs.
        crontab: the crontab line of most workers.
        time_zone: the zone in which that line is read.
        lines: the lines of all live workers, that of most workers first; without workers, the one line of
            the local settings.
        next_tick_at: the next tick by any line; it has no effect while the schedule is paused.
        last_tick_at: the latest recorded tick; None before the first.
        paused_at: start of the pause; None if not paused.
        paused_by: the actor that paused it.
        read_at: when the state was read, by the clock of Redis.
    """

    name: str
    task: str
    queue: Queue
    crontab: str
    time_zone: str
    lines: tuple[ScheduleLine, ...]
    next_tick_at: datetime
    last_tick_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    read_at: datetime

    @property
    def is_published(self) -> bool:
        """Whether live workers publish it; if not, the line comes from the local settings."""
        return bool(self.lines[0].worker_ids)

    @property
    def disagreement(self) -> str | None:
        """Describes the different lines of the workers; None if all agree."""
        if len(self.lines) < 2:
            return None
        return "; ".join(f"{line} on {', '.join(line.worker_ids)}" for line in self.lines)

    @property
    def untaken_since(self) -> datetime | None:
        """The first missed tick; None if the schedule is on time, paused or new."""
        if self.paused_at is not None or self.last_tick_at is None:
            return None
        due_at = first_tick(self.lines, self.last_tick_at)
        return due_at if due_at <= self.read_at else None


def first_tick(lines: Sequence[ScheduleLine], after: datetime) -> datetime:
    """Returns the first tick after an instant, by any of the lines."""
    return min(next_tick(line.crontab, line.time_zone, after) for line in lines)

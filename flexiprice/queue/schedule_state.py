"""A schedule at one moment: when it ticks, as the workers say that tick it, and whether it is paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flexiprice.queue.cron import next_tick
from flexiprice.settings import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """A crontab line of a schedule with its zone, and the workers that tick by it.

    Attributes:
        crontab: when the schedule ticks.
        time_zone: the zone whose clock the crontab line means.
        worker_ids: who says so; nobody where the line is that of the settings of whoever asks.
    """

    crontab: str
    time_zone: str
    worker_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.crontab} {self.time_zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule at one moment.

    Attributes:
        name: its own.
        task: what it runs.
        queue: where its jobs wait.
        crontab: when it ticks, by the line of most workers.
        time_zone: the zone whose clock that line means.
        lines: when it ticks, as the live workers say that tick it, the line of most workers first. Where
            none does, the one line of the settings of whoever asks, without workers.
        next_tick_at: when it ticks next, by any line; while it is paused, without consequence.
        last_tick_at: the latest tick that a worker took; None before the first.
        paused_at: since when it is paused; None while it is not.
        paused_by: who paused it.
        read_at: when this was read, by the clock of Redis.
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
        """Whether workers say when it ticks; if not, only local settings do."""
        return bool(self.lines[0].worker_ids)

    @property
    def disagreement(self) -> str | None:
        """The lines by which different workers tick it; None where all agree."""
        if len(self.lines) < 2:
            return None
        return "; ".join(f"{line} on {', '.join(line.worker_ids)}" for line in self.lines)

    @property
    def untaken_since(self) -> datetime | None:
        """The first tick that is past and that nobody took; None where it is on time, paused or new."""
        if self.paused_at is not None or self.last_tick_at is None:
            return None
        due_at = first_tick(self.lines, self.last_tick_at)
        return due_at if due_at <= self.read_at else None


def first_tick(lines: Sequence[ScheduleLine], after: datetime) -> datetime:
    """The first tick after an instant, by any of the lines."""
    return min(next_tick(line.crontab, line.time_zone, after) for line in lines)

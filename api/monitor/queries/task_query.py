"""What the page of tasks shows, as its address says it: a link shows the same to whoever opens it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flexiprice.domain.run import RunStatus
from flexiprice.queue.status import JobStatus
from flexiprice.runs.pages import RunOrder, RunPlace, SortKey
from flexiprice.runs.query import RunFilter

WINDOWS: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""How far back one may look, by how the address says it."""
SIZES: Final = (25, 50, 100, 200)
# Redis tells of these what is now, the history of the others what was.
LIVE: Final = (JobStatus.RUNNING, JobStatus.RETRYING, JobStatus.QUEUED, JobStatus.DEFERRED)
STATUSES: Final = (
    *(status.value for status in LIVE),
    *(state.value for state in RunStatus if state not in {RunStatus.RUNNING, RunStatus.RETRYING}),
)
"""Everything that a row may say of itself."""

_LONGEST: Final = 200
_DEFAULT_WINDOW: Final = "24h"
_DEFAULT_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which rows are shown, in what order, and where the page is.

    Attributes:
        task: of the task with this name.
        queue: from this queue.
        statuses: in one of these of `STATUSES`; all where it is empty.
        worker: on this worker.
        window: how far back from now or from `until`, a key of `WINDOWS`; without meaning where `since` is
            given.
        since: from this instant on.
        until: until before this instant.
        text: that have it in their arguments or errors.
        order: by what they are sorted.
        descending: the largest first.
        size: how many are on a page.
        place: where the page is; None for the first one.
    """

    task: str = ""
    queue: str = ""
    statuses: tuple[str, ...] = ()
    worker: str = ""
    window: str = _DEFAULT_WINDOW
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    order: RunOrder = RunOrder.STARTED
    descending: bool = True
    size: int = _DEFAULT_SIZE
    place: RunPlace | None = None

    @property
    def url(self) -> str:
        """The address that says so; what is as usual is left out."""
        said = {
            "task": self.task,
            "queue": self.queue,
            "status": ",".join(self.statuses),
            "worker": self.worker,
            "window": "" if self.since or self.window == _DEFAULT_WINDOW else self.window,
            "since": _written(self.since),
            "until": _written(self.until),
            "text": self.text,
            "sort": "" if self.order is RunOrder.STARTED else self.order.value,
            "dir": "" if self.descending else "asc",
            "size": "" if self.size == _DEFAULT_SIZE else str(self.size),
            "page": "" if self.place is None else _place_written(self.place),
        }
        encoded = urlencode({name: value for name, value in said.items() if value})
        return f"/tasks?{encoded}" if encoded else "/tasks"

    @property
    def is_live(self) -> bool:
        """Whether it shows what is now: the first page, the latest first, without an end."""
        return (
            self.place is None and self.until is None and self.order is RunOrder.STARTED and self.descending
        )

    @property
    def live_statuses(self) -> frozenset[JobStatus]:
        """Which of the jobs are shown that have not ended."""
        if not self.is_live:
            return frozenset()
        return frozenset(status for status in LIVE if not self.statuses or status.value in self.statuses)

    @property
    def recorded_states(self) -> tuple[RunStatus, ...]:
        """Which of the recorded runs are shown; none where only jobs are meant that have not run."""
        # What runs is told live, and would stand there twice.
        told_live = {RunStatus.RUNNING} if self.is_live else set[RunStatus]()
        return tuple(
            state
            for state in RunStatus
            if state not in told_live and (not self.statuses or state.value in self.statuses)
        )

    def run_filter(self, now: datetime) -> RunFilter:
        """Which recorded runs are meant, where any are."""
        return RunFilter(
            task=self.task or None,
            queue=self.queue or None,
            statuses=self.recorded_states,
            worker_id=self.worker or None,
            since=self.since or (self.until or now) - WINDOWS[self.window],
            until=self.until,
            text=self.text or None,
        )

    def changed(self, **changes: object) -> "TaskQuery":
        """The same with changes, on its first page unless they say where."""
        return replace(self, **{"place": None, **changes})  # type: ignore[arg-type]


def read_task_query(parameters: Mapping[str, str]) -> TaskQuery:
    """What an address says; what cannot be read is as usual."""
    said = {name: value[:_LONGEST] for name, value in parameters.items()}
    statuses = said.get("status", "").split(",")
    window, size = said.get("window", ""), said.get("size", "")
    order = RunOrder.STARTED
    with suppress(ValueError):
        order = RunOrder(said.get("sort", ""))
    return TaskQuery(
        task=said.get("task", ""),
        queue=said.get("queue", ""),
        statuses=tuple(status for status in STATUSES if status in statuses),
        worker=said.get("worker", ""),
        window=window if window in WINDOWS else _DEFAULT_WINDOW,
        since=_read(said.get("since", "")),
        until=_read(said.get("until", "")),
        text=said.get("text", ""),
        order=order,
        descending=said.get("dir") != "asc",
        size=int(size) if size in {str(each) for each in SIZES} else _DEFAULT_SIZE,
        place=_place_read(said.get("page", ""), order),
    )


def _written(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(text: str) -> datetime | None:
    # Python reads dates without separators and week dates too; nobody who types those is understood.
    if text[4:5] != "-" or text[5:6] == "W":
        return None
    with suppress(ValueError):
        instant = datetime.fromisoformat(text)
        # Whoever types one without a zone means the zone of all other instants.
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return None


def _place_written(place: RunPlace) -> str:
    key = place.key
    match key:
        case timedelta():
            key_text = str(key // timedelta(microseconds=1))
        case str():
            key_text = key
        case _:
            key_text = ""
    return "~".join(
        ["before" if place.before else "after", _written(place.started_at), place.run_id.hex, key_text]
    )


def _place_read(text: str, order: RunOrder) -> RunPlace | None:
    side, _, rest = text.partition("~")
    started, _, rest = rest.partition("~")
    run_id, _, key_text = rest.partition("~")
    started_at = _read(started)
    if started_at is None or side not in {"before", "after"}:
        return None
    with suppress(ValueError, OverflowError):
        key: SortKey = key_text
        if order is RunOrder.STARTED:
            key = started_at
        elif order in {RunOrder.DURATION, RunOrder.WAIT}:
            key = timedelta(microseconds=int(key_text))
        return RunPlace(key, started_at, UUID(run_id), before=side == "before")
    return None

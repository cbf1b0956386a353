"""The query of the tasks page: filters, order and position, as encoded in the page's URL."""

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
"""Time windows by their value in the URL."""
SIZES: Final = (25, 50, 100, 200)
# Read from Redis; all other statuses are read from the run history.
LIVE: Final = (JobStatus.RUNNING, JobStatus.RETRYING, JobStatus.QUEUED, JobStatus.DEFERRED)
STATUSES: Final = (
    *(status.value for status in LIVE),
    *(state.value for state in RunStatus if state not in {RunStatus.RUNNING, RunStatus.RETRYING}),
)
"""Statuses of rows."""

_LONGEST: Final = 200
_DEFAULT_WINDOW: Final = "24h"
_DEFAULT_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Filters, order and position of the tasks page. Empty filters match everything.

    Attributes:
        task: name of the task.
        queue: name of the queue.
        statuses: a selection of `STATUSES`.
        worker: id of the worker.
        window: a key of `WINDOWS`: how far back from `until` or now; ignored if `since` is given.
        since: start, inclusive.
        until: end, exclusive.
        text: a text in arguments or errors.
        order: the sort key.
        descending: whether the largest comes first.
        size: rows on a page.
        place: position of the page; None for the first page.
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
        """The page's URL with this query; default values are omitted."""
        fields = {
            "task": self.task,
            "queue": self.queue,
            "status": ",".join(self.statuses),
            "worker": self.worker,
            "window": "" if self.since or self.window == _DEFAULT_WINDOW else self.window,
            "since": _format_instant(self.since),
            "until": _format_instant(self.until),
            "text": self.text,
            "sort": "" if self.order is RunOrder.STARTED else self.order.value,
            "dir": "" if self.descending else "asc",
            "size": "" if self.size == _DEFAULT_SIZE else str(self.size),
            "page": "" if self.place is None else _format_place(self.place),
        }
        encoded = urlencode({name: value for name, value in fields.items() if value})
        return f"/tasks?{encoded}" if encoded else "/tasks"

    @property
    def is_live(self) -> bool:
        """Whether the page includes current jobs: it is the first one, the latest first, without an end."""
        return (
            self.place is None and self.until is None and self.order is RunOrder.STARTED and self.descending
        )

    @property
    def live_statuses(self) -> frozenset[JobStatus]:
        """Statuses of the current jobs to show."""
        if not self.is_live:
            return frozenset()
        return frozenset(status for status in LIVE if not self.statuses or status.value in self.statuses)

    @property
    def recorded_statuses(self) -> tuple[RunStatus, ...]:
        """Statuses of the recorded runs to show; empty if only jobs that have not run match."""
        # Running jobs are read from Redis, and would appear twice.
        live = {RunStatus.RUNNING} if self.is_live else set[RunStatus]()
        return tuple(
            state
            for state in RunStatus
            if state not in live and (not self.statuses or state.value in self.statuses)
        )

    def run_filter(self, now: datetime) -> RunFilter:
        """Returns the filter of recorded runs."""
        return RunFilter(
            task=self.task or None,
            queue=self.queue or None,
            statuses=self.recorded_statuses,
            worker_id=self.worker or None,
            since=self.since or (self.until or now) - WINDOWS[self.window],
            until=self.until,
            text=self.text or None,
        )

    def changed(self, **changes: object) -> "TaskQuery":
        """Returns the query with changes, on the first page unless they include a `place`."""
        return replace(self, **{"place": None, **changes})  # type: ignore[arg-type]


def read_task_query(parameters: Mapping[str, str]) -> TaskQuery:
    """Parses the query parameters of a URL; invalid values become the defaults."""
    fields = {name: value[:_LONGEST] for name, value in parameters.items()}
    statuses = fields.get("status", "").split(",")
    window, size = fields.get("window", ""), fields.get("size", "")
    order = RunOrder.STARTED
    with suppress(ValueError):
        order = RunOrder(fields.get("sort", ""))
    return TaskQuery(
        task=fields.get("task", ""),
        queue=fields.get("queue", ""),
        statuses=tuple(status for status in STATUSES if status in statuses),
        worker=fields.get("worker", ""),
        window=window if window in WINDOWS else _DEFAULT_WINDOW,
        since=_parse_instant(fields.get("since", "")),
        until=_parse_instant(fields.get("until", "")),
        text=fields.get("text", ""),
        order=order,
        descending=fields.get("dir") != "asc",
        size=int(size) if size in {str(each) for each in SIZES} else _DEFAULT_SIZE,
        place=_parse_place(fields.get("page", ""), order),
    )


def _format_instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_instant(text: str) -> datetime | None:
    # `fromisoformat` also accepts `20260331` and week dates, which are rejected here.
    if text[4:5] != "-" or text[5:6] == "W":
        return None
    with suppress(ValueError):
        instant = datetime.fromisoformat(text)
        # Without a time zone, an instant is UTC like all others in the URL.
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return None


def _format_place(place: RunPlace) -> str:
    key = place.key
    match key:
        case timedelta():
            key_text = str(key // timedelta(microseconds=1))
        case str():
            key_text = key
        case _:
            key_text = ""
    return "~".join(
        ["before" if place.before else "after", _format_instant(place.started_at), place.run_id.hex, key_text]
    )


def _parse_place(text: str, order: RunOrder) -> RunPlace | None:
    side, _, rest = text.partition("~")
    started, _, rest = rest.partition("~")
    run_id, _, key_text = rest.partition("~")
    started_at = _parse_instant(started)
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

"""Filters of the tasks page: status with counts, task, queue, worker, time and text."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments, ValueChangeEventArguments

from api.monitor.components.instants import Instant
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import count
from api.monitor.queries.task_query import STATUSES, WINDOWS, TaskQuery
from api.monitor.status_style import status_style
from flexiprice.queue.status import JobStatus
from flexiprice.queue.task_definitions import TASKS
from flexiprice.runs.pages import MAX_COUNTED_RUNS, RunCounts
from flexiprice.settings import Queue

Go = Callable[[TaskQuery], Awaitable[None]]
_WINDOW_NAMES: Final = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
}
_CUSTOM: Final = "custom"
# Converts the chosen local time to an instant.
_EMIT_INSTANT: Final = """(event) => {
  const at = new Date(event.target.value);
  emit(isNaN(at) ? "" : at.toISOString());
}"""


class TaskFilters:
    """The filters of one page; a change of a filter calls back with a new query."""

    def __init__(self, query: TaskQuery, go: Go) -> None:
        """Creates the filters.

        Args:
            query: the initial query.
            go: called with the new query after a change.
        """
        self._query = query
        self._go = go
        self._chips: dict[str, tuple[ui.element, Text]] = {}
        with ui.element("section").classes("task-filters").props("aria-label=Filters"):
            self._build_chips()
            with ui.element("div").classes("filter-fields"):
                self._build_fields()
        self.show(query)

    def show(self, query: TaskQuery) -> None:
        """Sets the filters to a query."""
        # Setting a value calls its handler, which ignores values that equal the query.
        self._query = query
        for name, field in self._fields.items():
            value = getattr(query, name) or None
            if isinstance(field, ui.select) and value not in (None, *_options(field)):
                field.set_options([*_options(field), value])
            if (field.value or None) != value:
                field.value = value
        self._window.value = _CUSTOM if query.since or query.until else query.window
        self._custom.set_visibility(self._window.value == _CUSTOM)
        self._since.show(query.since)
        self._until.show(query.until)
        for status, (chip, _) in self._chips.items():
            pressed = status in query.statuses if status else not query.statuses
            chip.props(f"aria-pressed={'true' if pressed else 'false'}")

    def show_counts(self, counts: RunCounts | None, waiting: Mapping[JobStatus, int]) -> None:
        """Shows the number of tasks of each status.

        Args:
            counts: numbers of recorded runs; None if unknown.
            waiting: numbers of jobs that have not run, for the statuses where they are known.
        """
        recorded = {status.value: number for status, number in counts.by_status.items()} if counts else {}
        more = "" if counts is None or counts.complete else "+"
        labels = {status.value: count(number) for status, number in waiting.items() if number}
        labels |= {status: f"{count(number)}{more}" for status, number in recorded.items() if number}
        labels[""] = f"{count(min(sum(recorded.values()), MAX_COUNTED_RUNS))}{more}" if recorded else ""
        for status, (_, label) in self._chips.items():
            text = labels.get(status, "")
            if label.text != text:
                label.text = text

    def _build_chips(self) -> None:
        with ui.element("div").classes("status-chips").props("role=group aria-label=Status"):
            for status in ("", *STATUSES):
                chip = ui.element("button").classes("status-chip").props("type=button")
                with chip:
                    if status:
                        icon, tone = status_style(status)
                        ui.icon(icon).props("aria-hidden=true").classes(f"sign-{tone}")
                    Text("span", status.replace("_", " ") or "all")
                    self._chips[status] = (chip, Text("span", classes="status-count"))
                chip.on("click", partial(self._toggle, status))

    def _build_fields(self) -> None:
        workers = current_monitor().live.latest.broker
        names = {task.name for task in TASKS}
        ids: list[str] = []
        if workers is not None:
            names |= {name for worker in workers.workers for name in worker.tasks}
            ids = [worker.worker_id for worker in workers.workers]
        task = self._select("Task", sorted(names))
        queue = self._select("Queue", [queue.value for queue in Queue])
        worker = self._select("Worker", ids)
        self._window = ui.select(
            {**_WINDOW_NAMES, _CUSTOM: "From … until …"}, label="Time", on_change=self._window_chosen
        )
        self._window.props("outlined dense options-dense")
        text = ui.input("In arguments or errors", on_change=self._changed)
        text.props("outlined dense clearable debounce=400 type=search maxlength=200").classes("filter-text")
        with text.add_slot("prepend"):
            ui.icon("search").props("aria-hidden=true")
        self._fields: dict[str, Any] = {"task": task, "queue": queue, "worker": worker, "text": text}
        with ui.element("div").classes("filter-custom") as self._custom:
            self._since = self._instant("From", "since")
            self._until = self._instant("Until", "until")

    def _select(self, label: str, options: Iterable[str]) -> ui.select:
        select = ui.select(list(options), label=label, clearable=True, on_change=self._changed)
        return select.props("outlined dense options-dense")

    def _instant(self, label: str, name: str) -> Instant:
        with ui.element("label").classes("filter-instant"):
            Text("span", label, classes="quiet")
            shown = Instant(None)
            field = ui.element("input").props(f"type=datetime-local step=1 aria-label='{label}'")

        async def chosen(event: GenericEventArguments) -> None:
            text = str(event.args or "")
            at = datetime.fromisoformat(text) if text else None
            await self._go(self._query.changed(**{name: at}))

        field.on("change", chosen, js_handler=_EMIT_INSTANT)
        return shown

    async def _toggle(self, status: str) -> None:
        chosen = set(self._query.statuses) ^ {status} if status else set[str]()
        await self._go(self._query.changed(statuses=tuple(each for each in STATUSES if each in chosen)))

    async def _changed(self, _: ValueChangeEventArguments[Any]) -> None:
        fields = {name: str(field.value or "")[:200] for name, field in self._fields.items()}
        if any(getattr(self._query, name) != value for name, value in fields.items()):
            await self._go(self._query.changed(**fields))

    async def _window_chosen(self, event: ValueChangeEventArguments[Any]) -> None:
        query = self._query
        self._custom.set_visibility(event.value == _CUSTOM)
        if event.value in WINDOWS and (event.value != query.window or query.since or query.until):
            await self._go(query.changed(window=event.value, since=None, until=None))


def _options(field: ui.select) -> list[Any]:
    return list(cast("Iterable[Any]", field.options))

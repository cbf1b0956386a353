"""The tasks: what runs and waits, what has run, found by what one asks for; called off or tried again."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from nicegui import ui

from api.monitor.components.changes import allow
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.links import add_style_sheet, small_button
from api.monitor.components.task_changes import retry_together, revoke_together
from api.monitor.components.task_filters import TaskFilters
from api.monitor.components.task_table import ALWAYS, COLUMNS, USUAL, TaskTable
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, own_address
from api.monitor.format import things
from api.monitor.layout import page
from api.monitor.queries.task_query import SIZES, TaskQuery, read_task_query
from api.monitor.queries.tasks import LIVE_ROWS, TaskPage, read_task_counts, read_task_page
from flexiprice.queue.status import JobStatus
from flexiprice.runs.pages import RunOrder, RunPlace

_COLUMNS_COOKIE: Final = "task_columns"
# Read and told by turns, what happens is seen within a second.
_REFRESH_SECONDS: Final = 0.5
_COUNTED_FOR_SECONDS: Final = 5.0
# What is not live changes only where runs end late.
_PAST_KEPT_SECONDS: Final = 10.0
# No index helps to find these, so every run of the window may have to be looked at.
_SOUGHT_KEPT_SECONDS: Final = 3.0


@page("/tasks", "Tasks")
async def tasks() -> None:
    """Shows tasks as the address says."""
    request = ui.context.client.request
    view = _TasksView(read_task_query(dict(request.query_params)))
    view.build(_remembered_columns(request.cookies.get(_COLUMNS_COOKIE, "")))
    await view.refresh()
    # Not of `follow`: what is read depends on what the viewer asks for.
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


def _remembered_columns(cookie: str) -> list[str]:
    return [name for name in cookie.split(".") if name in COLUMNS] or list(USUAL)


def _column_choice(columns: Sequence[str], show: Callable[[Sequence[str]], None]) -> None:
    chosen = {*ALWAYS, *columns}

    def toggle(name: str) -> None:
        chosen.symmetric_difference_update({name})
        show([name for name in COLUMNS if name in chosen])

    with (
        ui.button("Columns", icon="view_column").props("flat dense no-caps size=sm").classes("column-button"),
        ui.menu(),
        ui.element("div").classes("column-choice"),
    ):
        for name, label in COLUMNS.items():
            if name not in ALWAYS:
                box = ui.checkbox(label, value=name in chosen, on_change=partial(toggle, name))
                box.props("dense")


class _TasksView:
    """The page of one viewer."""

    def __init__(self, query: TaskQuery) -> None:
        self._query = query
        self._page = TaskPage(rows=[])

    def build(self, columns: Sequence[str]) -> None:
        """Makes the elements."""
        add_style_sheet("tasks")
        self._failure = Failure()
        self._filters = TaskFilters(self._query, self._go)
        with ui.element("section").classes("card tasks-card").props("aria-label=Tasks"):
            with ui.element("div").classes("card-head"):
                self._chosen_label = ui.label().classes("quiet")
                with ui.element("div").classes("actions"):
                    allow(small_button("Retry", "the chosen tasks", self._retry_chosen))
                    allow(small_button("Revoke", "the chosen tasks", self._revoke_chosen))
                    _column_choice(columns, self._show_columns)
            self._table = TaskTable(sort=self._sort, choose=self._show_chosen)
            self._table.show_columns(columns)
            self._table.show_order(self._query.order, descending=self._query.descending)
            self._nothing = ui.element("div")
            with self._nothing:
                Placeholder(
                    "No task matches",
                    "Nothing has run or waits that meets this filter. Look further back, or run something:",
                    command="flexiprice run recompute_all_discounts",
                    icon="filter_alt_off",
                )
            self._hidden = Text("p", classes="quiet hidden-rows")
            with ui.element("nav").classes("pager").props("aria-label='Pages of runs'"):
                size = ui.select(
                    {size: f"{size} a page" for size in SIZES},
                    value=self._query.size,
                    on_change=lambda event: self._go(self._query.changed(size=event.value)),
                )
                size.props("dense borderless options-dense aria-label='Rows on a page'")
                self._first = self._turn("first_page", "First page", lambda: None)
                self._previous = self._turn("chevron_left", "Previous page", lambda: self._page.previous)
                self._next = self._turn("chevron_right", "Next page", lambda: self._page.next)
        self._show_chosen()

    async def refresh(self) -> None:
        """Reads anew, unless others who look at the same just have."""
        monitor, query = current_monitor(), self._query
        read = await monitor.live.shared(
            ("tasks", query),
            lambda: read_task_page(monitor.resources, query),
            max_age=_held_for(query),
        )
        # Of the counts nothing depends on where the page is, or how it is sorted.
        counted = TaskQuery(
            task=query.task,
            queue=query.queue,
            worker=query.worker,
            window=query.window,
            since=query.since,
            until=query.until,
            text=query.text,
        )
        counts = await monitor.live.shared(
            ("task counts", counted),
            lambda: read_task_counts(monitor.resources, counted),
            max_age=_COUNTED_FOR_SECONDS,
        )
        if query is not self._query:
            # Another filter was chosen meanwhile, and is being read.
            return
        self._page = read
        self._failure.show("; ".join(read.failures) or None)
        self._table.show(read.rows)
        self._nothing.set_visibility(not read.rows and not read.failures)
        waiting = _waiting(query)
        self._filters.show_counts(counts, waiting)
        self._show_hidden(waiting)
        self._first.set_enabled(query.place is not None)
        self._previous.set_enabled(read.previous is not None)
        self._next.set_enabled(read.next is not None)
        self._show_chosen()

    async def _go(self, query: TaskQuery) -> None:
        self._query = query
        ui.navigate.history.replace(own_address(query.url))
        self._table.choose_none()
        self._table.show_order(query.order, descending=query.descending)
        self._filters.show(query)
        await self.refresh()

    def _turn(self, icon: str, meaning: str, place: Callable[[], RunPlace | None]) -> ui.button:
        async def turn() -> None:
            await self._go(self._query.changed(place=place()))

        return ui.button(icon=icon, on_click=turn).props(f"flat round dense aria-label='{meaning}'")

    def _sort(self, order: RunOrder) -> None:
        same = order is self._query.order
        query = self._query.changed(order=order, descending=not self._query.descending if same else True)
        ui.timer(0, lambda: self._go(query), once=True)

    def _show_columns(self, names: Sequence[str]) -> None:
        self._table.show_columns(names)
        cookie = f"{_COLUMNS_COOKIE}={'.'.join(names)}; path={own_address('/tasks')}; max-age=31536000"
        cookie += "; samesite=lax"
        ui.run_javascript(f"document.cookie = {cookie!r}")

    def _show_hidden(self, waiting: Mapping[JobStatus, int]) -> None:
        wanted = self._query.live_statuses
        shown = sum(row["live"] and row["state"] != JobStatus.RUNNING.value for row in self._page.rows)
        hidden = sum(number for status, number in waiting.items() if status in wanted) - shown
        text = things(hidden, "more task", "wait") if shown >= LIVE_ROWS and hidden > 0 else ""
        if self._hidden.text != text:
            self._hidden.text = text

    def _show_chosen(self) -> None:
        chosen = len(self._table.chosen)
        text = f"{chosen} chosen" if chosen else "Choose rows to retry or revoke them"
        if self._chosen_label.text != text:
            self._chosen_label.text = text

    async def _retry_chosen(self) -> None:
        if await retry_together(self._chosen_ids()):
            self._table.choose_none()
            await self.refresh()

    async def _revoke_chosen(self) -> None:
        if await revoke_together(self._chosen_ids()):
            self._table.choose_none()
            await self.refresh()

    def _chosen_ids(self) -> list[str]:
        return list(dict.fromkeys(str(row["job_id"]) for row in self._table.chosen))


def _waiting(query: TaskQuery) -> dict[JobStatus, int]:
    """How many jobs wait, where no more is asked for than their queue."""
    fleet = current_monitor().live.latest.fleet
    if fleet is None or query.task or query.worker or query.text:
        return {}
    queues = [queue for queue in fleet.queues if query.queue in {"", queue.queue.value}]
    return {
        JobStatus.QUEUED: sum(queue.waiting for queue in queues),
        JobStatus.DEFERRED: sum(queue.deferred for queue in queues),
    }


def _held_for(query: TaskQuery) -> float:
    """For how many seconds an answer holds: the more it costs, the longer."""
    if not query.is_live:
        return _PAST_KEPT_SECONDS
    return _SOUGHT_KEPT_SECONDS if query.text or query.worker else _REFRESH_SECONDS * 0.8

"""The tasks page: current jobs and recorded runs, with filters, sorting, revoking and retrying."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from nicegui import ui

from api.monitor.components.actions import restricted
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.links import add_style_sheet, small_button
from api.monitor.components.task_actions import retry_selected, revoke_selected
from api.monitor.components.task_filters import TaskFilters
from api.monitor.components.task_table import COLUMNS, DEFAULT_COLUMNS, FIXED_COLUMNS, TaskTable
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, own_address
from api.monitor.format import things
from api.monitor.layout import page
from api.monitor.queries.task_query import SIZES, TaskQuery, read_task_query
from api.monitor.queries.tasks import LIVE_ROWS, TaskPage, read_task_counts, read_task_page
from flexiprice.queue.status import JobStatus
from flexiprice.runs.pages import RunOrder, RunPlace

_COLUMNS_COOKIE: Final = "task_columns"
# Half the second within which changes must be visible: a poll and a cached read may add up.
_REFRESH_SECONDS: Final = 0.5
_COUNTS_MAX_AGE: Final = 5.0
# Past windows change only when long runs end.
_PAST_MAX_AGE: Final = 10.0
# No index supports these filters, so a query may read every run of the window.
_SEARCH_MAX_AGE: Final = 3.0


@page("/tasks", "Tasks")
async def tasks() -> None:
    """Shows the tasks that match the URL's query."""
    request = ui.context.client.request
    view = _TasksView(read_task_query(dict(request.query_params)))
    view.build(_remembered_columns(request.cookies.get(_COLUMNS_COOKIE, "")))
    await view.refresh()
    # Not by `follow`: the query depends on the user's filters.
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


def _remembered_columns(cookie: str) -> list[str]:
    return [name for name in cookie.split(".") if name in COLUMNS] or list(DEFAULT_COLUMNS)


def _column_menu(columns: Sequence[str], show: Callable[[Sequence[str]], None]) -> None:
    selected = {*FIXED_COLUMNS, *columns}

    def toggle(name: str) -> None:
        selected.symmetric_difference_update({name})
        show([name for name in COLUMNS if name in selected])

    with (
        ui.button("Columns", icon="view_column").props("flat dense no-caps size=sm").classes("column-button"),
        ui.menu(),
        ui.element("div").classes("column-choice"),
    ):
        for name, label in COLUMNS.items():
            if name not in FIXED_COLUMNS:
                box = ui.checkbox(label, value=name in selected, on_change=partial(toggle, name))
                box.props("dense")


class _TasksView:
    """One open page."""

    def __init__(self, query: TaskQuery) -> None:
        self._query = query
        self._page = TaskPage(rows=[])

    def build(self, columns: Sequence[str]) -> None:
        """Creates the elements."""
        add_style_sheet("tasks")
        self._failure = Failure()
        self._filters = TaskFilters(self._query, self._go)
        with ui.element("section").classes("card tasks-card").props("aria-label=Tasks"):
            with ui.element("div").classes("card-head"):
                self._selection_label = ui.label().classes("quiet")
                with ui.element("div").classes("actions"):
                    restricted(small_button("Retry", "the chosen tasks", self._retry_selected))
                    restricted(small_button("Revoke", "the chosen tasks", self._revoke_selected))
                    _column_menu(columns, self._show_columns)
            self._table = TaskTable(on_sort=self._sort, on_select=self._show_selection)
            self._table.show_columns(columns)
            self._table.show_order(self._query.order, descending=self._query.descending)
            self._nothing = ui.element("div")
            with self._nothing:
                Placeholder(
                    "No task matches",
                    "No job or run matches this filter. Look further back, or run something:",
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
                self._first = self._page_button("first_page", "First page", lambda: None)
                self._previous = self._page_button(
                    "chevron_left", "Previous page", lambda: self._page.previous
                )
                self._next = self._page_button("chevron_right", "Next page", lambda: self._page.next)
        self._show_selection()

    async def refresh(self) -> None:
        """Reads and shows the tasks; pages with the same query share a read."""
        monitor, query = current_monitor(), self._query
        read = await monitor.live.cached(
            ("tasks", query),
            lambda: read_task_page(monitor.resources, query),
            max_age=_max_age(query),
        )
        # Counts do not depend on position and order, so their cache key has neither.
        counted = TaskQuery(
            task=query.task,
            queue=query.queue,
            worker=query.worker,
            window=query.window,
            since=query.since,
            until=query.until,
            text=query.text,
        )
        counts = await monitor.live.cached(
            ("task counts", counted),
            lambda: read_task_counts(monitor.resources, counted),
            max_age=_COUNTS_MAX_AGE,
        )
        if query is not self._query:
            # The filters have changed meanwhile, and the new query is being read.
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
        self._show_selection()

    async def _go(self, query: TaskQuery) -> None:
        self._query = query
        ui.navigate.history.replace(own_address(query.url))
        self._table.clear_selection()
        self._table.show_order(query.order, descending=query.descending)
        self._filters.show(query)
        await self.refresh()

    def _page_button(self, icon: str, meaning: str, place: Callable[[], RunPlace | None]) -> ui.button:
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
        shown = sum(row["live"] and row["status"] != JobStatus.RUNNING.value for row in self._page.rows)
        hidden = sum(number for status, number in waiting.items() if status in wanted) - shown
        text = things(hidden, "more task", "wait") if shown >= LIVE_ROWS and hidden > 0 else ""
        if self._hidden.text != text:
            self._hidden.text = text

    def _show_selection(self) -> None:
        selected = len(self._table.selected)
        text = f"{selected} selected" if selected else "Select rows to retry or revoke them"
        if self._selection_label.text != text:
            self._selection_label.text = text

    async def _retry_selected(self) -> None:
        if await retry_selected(self._selected_ids()):
            self._table.clear_selection()
            await self.refresh()

    async def _revoke_selected(self) -> None:
        if await revoke_selected(self._selected_ids()):
            self._table.clear_selection()
            await self.refresh()

    def _selected_ids(self) -> list[str]:
        return list(dict.fromkeys(str(row["job_id"]) for row in self._table.selected))


def _waiting(query: TaskQuery) -> dict[JobStatus, int]:
    """Returns the number of waiting jobs by status; empty if other filters than the queue are set."""
    broker = current_monitor().live.latest.broker
    if broker is None or query.task or query.worker or query.text:
        return {}
    queues = [queue for queue in broker.queues if query.queue in {"", queue.queue.value}]
    return {
        JobStatus.QUEUED: sum(queue.waiting for queue in queues),
        JobStatus.DEFERRED: sum(queue.deferred for queue in queues),
    }


def _max_age(query: TaskQuery) -> float:
    """Returns for how many seconds the result of a query is cached; longer for expensive ones."""
    if not query.is_live:
        return _PAST_MAX_AGE
    return _SEARCH_MAX_AGE if query.text or query.worker else _REFRESH_SECONDS * 0.8

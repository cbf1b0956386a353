"""The table of tasks, with sortable headings and selectable rows."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from api.monitor.components.instants import Instant
from api.monitor.components.table_frame import MANY, MoreRows
from api.monitor.context import own_address
from api.monitor.queries.task_rows import Row
from flexiprice.runs.pages import RunOrder

COLUMNS: Final = {
    "status": "Status",
    "task": "Task",
    "started": "Started",
    "ran": "Ran",
    "wait": "Waited",
    "error": "Error",
    "queue": "Queue",
    "worker": "Worker",
    "arguments": "Arguments",
    "attempt": "Try",
    "trigger": "Trigger",
    "enqueued": "Enqueued",
    "job_id": "Job",
}
"""Headings by column name."""
FIXED_COLUMNS: Final = ("status", "task")
DEFAULT_COLUMNS: Final = ("status", "task", "started", "ran", "wait", "error", "queue", "worker", "arguments")
SORTED_BY: Final = {
    "started": RunOrder.STARTED,
    "ran": RunOrder.DURATION,
    "wait": RunOrder.WAIT,
    "task": RunOrder.TASK,
}
_NUMBERS: Final = ("ran", "wait", "attempt")

_INSTANT_TAG: Final = Instant.component.tag if Instant.component else "time"
_STATUS: Final = """
<span :class="props.row.tone"><q-icon :name="props.row.icon" aria-hidden="true"></q-icon
><span>{{ props.row.word }}</span></span>
<div v-if="props.row.fraction !== null" class="meter task-meter" role="progressbar"
  :aria-valuenow="Math.round(props.row.fraction * 100)" aria-valuemin="0" aria-valuemax="100"
><div :style="{width: props.row.fraction * 100 + '%'}"></div></div>
<div v-if="props.row.progress" class="task-progress">{{ props.row.progress }}</div>
"""
# Placeholder for the path of task pages, which depends on the URL prefix.
_TASKS: Final = "{TASKS}"
_TASK: Final = """
<a :href="'{TASKS}' + encodeURIComponent(props.row.job_id)" class="task-link">{{ props.row.task }}</a>
"""
_STARTED: Final = f"""
<{_INSTANT_TAG} v-if="props.row.started !== null" :at="props.row.started" mode="clock"></{_INSTANT_TAG}>
<span v-else-if="props.row.due !== null" class="quiet"
>due <{_INSTANT_TAG} :at="props.row.due" mode="in"></{_INSTANT_TAG}></span>
"""
_RAN: Final = f"""
<{_INSTANT_TAG} v-if="props.row.live && props.row.started !== null" :at="props.row.started" mode="age"
></{_INSTANT_TAG}><span v-else>{{{{ props.row.ran }}}}</span>
"""
_ENQUEUED: Final = f"""
<{_INSTANT_TAG} v-if="props.row.enqueued !== null" :at="props.row.enqueued" mode="clock"></{_INSTANT_TAG}>
"""
_JOB: Final = '<span class="mono">{{ props.row.job_id }}</span>'
_CUT: Final = '<span class="cut" :title="props.value">{{ props.value }}</span>'
_CELLS: Final = {
    "status": _STATUS,
    "task": _TASK,
    "started": _STARTED,
    "ran": _RAN,
    "enqueued": _ENQUEUED,
    "job_id": _JOB,
    "worker": _CUT,
    "arguments": _CUT,
    "error": _CUT,
}
_HEADING: Final = """
<q-th :props="props" :aria-sort="props.col.direction || 'none'"
><button type="button" class="sort" @click="() => $parent.$emit('sort', props.col.name)"
>{{ props.col.label }}<q-icon v-if="props.col.direction" aria-hidden="true"
:name="props.col.direction === 'ascending' ? 'arrow_upward' : 'arrow_downward'"></q-icon></button></q-th>
"""
# Shown instead of a row on narrow screens.
_CARD: Final = f"""
<div class="task-card">
  <div class="task-card-head"><q-checkbox v-model="props.selected" dense aria-label="Select"></q-checkbox>
    {_TASK}<span class="task-card-state">{_STATUS}</span></div>
  <div class="quiet">{_STARTED} <span v-if="props.row.ran || props.row.live && props.row.started !== null"
  > · ran {_RAN}</span> <span v-if="props.row.queue"> · {{{{ props.row.queue }}}}</span></div>
  <div v-if="props.row.error" class="task-card-error">{{{{ props.row.error }}}}</div>
</div>
"""


class TaskTable:
    """The table of tasks; its owner handles sorting and selection."""

    def __init__(self, *, on_sort: Callable[[RunOrder], None], on_select: Callable[[], None]) -> None:
        """Creates an empty table.

        Args:
            on_sort: called with the order of a heading when it is clicked.
            on_select: called when the selection changes.
        """
        # Cells are rendered in the browser; a hidden instant makes it load their component.
        Instant(None).classes("hidden")
        self._element = ui.table(rows=[], columns=_columns(RunOrder.STARTED, descending=True), row_key="id")
        self._element.props(
            'flat dense hide-selected-banner selection=multiple :grid="Quasar.Screen.width < 700" '
            'no-data-label=" " table-class=task-table aria-label=Tasks'
        )
        self._element.classes("tasks")
        self._more = MoreRows(self._element, folded_to=MANY)
        tasks = own_address("/tasks/")
        for name, cell in _CELLS.items():
            cell = cell.replace(_TASKS, tasks)  # noqa: PLW2901 -- the cell of this page
            self._element.add_slot(f"body-cell-{name}", f'<q-td :props="props">{cell}</q-td>')
        for name in SORTED_BY:
            self._element.add_slot(f"header-cell-{name}", _HEADING)
        self._element.add_slot("header-selection", _checkbox("'Select all'"))
        self._element.add_slot("body-selection", _checkbox("'Select ' + props.row.task"))
        self._element.add_slot("item", _CARD.replace(_TASKS, tasks))

        def handle_sort(event: GenericEventArguments) -> None:
            order = SORTED_BY.get(str(event.args))
            if order is not None:
                on_sort(order)

        self._element.on("sort", handle_sort)
        self._element.on_select(lambda _: on_select())

    @property
    def selected(self) -> list[Row]:
        """The selected rows that still exist."""
        ids = {row["id"] for row in cast("list[Row]", self._element.rows)}
        return [row for row in cast("list[Row]", self._element.selected) if row["id"] in ids]

    def clear_selection(self) -> None:
        """Clears the selection."""
        self._element.selected = []

    def show(self, rows: list[Row]) -> None:
        """Shows rows; does nothing if they have not changed."""
        if rows != self._element.rows:
            self._element.rows = rows
            self._more.set_row_count(len(rows))

    def show_order(self, order: RunOrder, *, descending: bool) -> None:
        """Shows the sort order in the headings."""
        self._element.columns = _columns(order, descending=descending)

    def show_columns(self, names: Iterable[str]) -> None:
        """Shows only the columns with these names and the fixed ones."""
        selected = {*FIXED_COLUMNS, *names}
        self._element.props["visible-columns"] = [name for name in COLUMNS if name in selected]
        self._element.update()


def _checkbox(meaning: str) -> str:
    return f'<q-checkbox v-model="props.selected" dense :aria-label="{meaning}"></q-checkbox>'


def _columns(order: RunOrder, *, descending: bool) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": label,
            "field": name,
            "align": "right" if name in _NUMBERS else "left",
            "classes": f"cell-{name}",
            "direction": ("descending" if descending else "ascending")
            if SORTED_BY.get(name) is order
            else None,
        }
        for name, label in COLUMNS.items()
    ]

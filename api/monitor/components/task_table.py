"""The table of tasks: rows that change as tasks run, headings that sort, cells with signs."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from nicegui import ui
from nicegui.events import GenericEventArguments

from api.monitor.components.instants import Instant
from api.monitor.components.live_table import MANY, MoreRows
from api.monitor.context import own_address
from api.monitor.queries.task_rows import Row
from flexiprice.runs.pages import RunOrder

COLUMNS: Final = {
    "state": "Status",
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
"""Every column by its name, and its heading."""
ALWAYS: Final = ("state", "task")
USUAL: Final = ("state", "task", "started", "ran", "wait", "error", "queue", "worker", "arguments")
SORTED_BY: Final = {
    "started": RunOrder.STARTED,
    "ran": RunOrder.DURATION,
    "wait": RunOrder.WAIT,
    "task": RunOrder.TASK,
}
_NUMBERS: Final = ("ran", "wait", "attempt")

_INSTANT_TAG: Final = Instant.component.tag if Instant.component else "time"
_STATE: Final = """
<span :class="props.row.tone"><q-icon :name="props.row.icon" aria-hidden="true"></q-icon
><span>{{ props.row.word }}</span></span>
<div v-if="props.row.fraction !== null" class="meter task-meter" role="progressbar"
  :aria-valuenow="Math.round(props.row.fraction * 100)" aria-valuemin="0" aria-valuemax="100"
><div :style="{width: props.row.fraction * 100 + '%'}"></div></div>
<div v-if="props.row.progress" class="task-progress">{{ props.row.progress }}</div>
"""
# Where the pages of tasks are, which depends on the prefix under which the monitor is served.
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
    "state": _STATE,
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
# What a row is on a narrow screen, where no table fits.
_CARD: Final = f"""
<div class="task-card">
  <div class="task-card-head"><q-checkbox v-model="props.selected" dense aria-label="Choose"></q-checkbox>
    {_TASK}<span class="task-card-state">{_STATE}</span></div>
  <div class="quiet">{_STARTED} <span v-if="props.row.ran || props.row.live && props.row.started !== null"
  > · ran {_RAN}</span> <span v-if="props.row.queue"> · {{{{ props.row.queue }}}}</span></div>
  <div v-if="props.row.error" class="task-card-error">{{{{ props.row.error }}}}</div>
</div>
"""


class TaskTable:
    """A table of tasks. Rows may be chosen; it tells whoever made it by what it is to be sorted."""

    def __init__(self, *, sort: Callable[[RunOrder], None], choose: Callable[[], None]) -> None:
        """Builds an empty table.

        Args:
            sort: called with what a heading stands for when it is pressed.
            choose: called when other rows are chosen.
        """
        # Instants stand in cells that the browser makes; one of ours has it load what they need.
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
            cell = cell.replace(_TASKS, tasks)  # noqa: PLW2901 -- as it is for this page
            self._element.add_slot(f"body-cell-{name}", f'<q-td :props="props">{cell}</q-td>')
        for name in SORTED_BY:
            self._element.add_slot(f"header-cell-{name}", _HEADING)
        self._element.add_slot("header-selection", _choice("'Choose all'"))
        self._element.add_slot("body-selection", _choice("'Choose ' + props.row.task"))
        self._element.add_slot("item", _CARD.replace(_TASKS, tasks))

        def pressed(event: GenericEventArguments) -> None:
            order = SORTED_BY.get(str(event.args))
            if order is not None:
                sort(order)

        self._element.on("sort", pressed)
        self._element.on_select(lambda _: choose())

    @property
    def chosen(self) -> list[Row]:
        """The rows that are chosen and still there."""
        there = {row["id"] for row in cast("list[Row]", self._element.rows)}
        return [row for row in cast("list[Row]", self._element.selected) if row["id"] in there]

    def choose_none(self) -> None:
        """Gives up the choice of rows."""
        self._element.selected = []

    def show(self, rows: list[Row]) -> None:
        """Shows other rows, if they are others."""
        if rows != self._element.rows:
            self._element.rows = rows
            self._more.tell(len(rows))

    def show_order(self, order: RunOrder, *, descending: bool) -> None:
        """Shows by what the rows are sorted."""
        self._element.columns = _columns(order, descending=descending)

    def show_columns(self, names: Iterable[str]) -> None:
        """Shows these columns."""
        chosen = {*ALWAYS, *names}
        self._element.props["visible-columns"] = [name for name in COLUMNS if name in chosen]
        self._element.update()


def _choice(meaning: str) -> str:
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

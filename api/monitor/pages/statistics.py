"""The statistics page: runs, failure rates, wait times and run times over a window."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.charts import ACCENT, ACTIVE, BAD, GOOD, QUIET, VIOLET
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, add_style_sheet, job_path
from api.monitor.components.plots import Curve, Plot, category_axis, instant_axis
from api.monitor.components.table_frame import TableFrame, card_title, cell, number_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import count, duration, percent
from api.monitor.layout import page
from api.monitor.queries.statistics import WINDOWS, read_statistics
from api.monitor.state.series import histogram_bars
from api.monitor.timeouts import SCAN_TIMEOUT, with_timeout
from flexiprice.domain.run import RunStatus
from flexiprice.errors import FlexiPriceError
from flexiprice.runs.query import Run
from flexiprice.runs.statistics import Percentiles, TaskStatistics
from flexiprice.runs.timeseries import RunHistograms, TrendBucket

_REFRESH_SECONDS: Final = 5.0
_COLUMNS: Final = (
    "Task",
    "Runs>",
    "Per minute>",
    "Failed>",
    "Failure rate>",
    "Retried>",
    "Waited p50>",
    "p95>",
    "p99>",
    "Ran p50>",
    "p95>",
    "p99>",
)
_OTHERS: Final = (RunStatus.RETRYING, RunStatus.REVOKED, RunStatus.LOST, RunStatus.RELEASED)


@page("/statistics", "Statistics")
async def statistics(window: str = "24h", task: str = "") -> None:
    """Shows statistics of all tasks, or of one."""
    chosen = window if window in WINDOWS else "24h"
    view = _StatisticsView(chosen, task[:200])
    await view.refresh()
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


class _StatisticsView:
    """One open page."""

    def __init__(self, window: str, task: str) -> None:
        self._window, self._task = window, task
        self._shown: object = None
        add_style_sheet("tasks")
        self._failure = Failure()
        self._build_choice()
        with ui.element("section").classes("card"):
            card_title("By task")
            self._tasks = TableFrame("By task")
        with ui.element("div").classes("grid charts"):
            with ui.element("section").classes("card"):
                card_title("Runs over time")
                self._runs = Plot(label="Runs over time, by outcome")
            with ui.element("section").classes("card"):
                card_title("Run time over time")
                self._durations = Plot(label="Run time over time: median and 95th percentile", unit=" s")
            with ui.element("section").classes("card"):
                card_title("Wait times")
                self._waits_spread = Plot(label="Histogram of wait times")
            with ui.element("section").classes("card"):
                card_title("Run times")
                self._took_spread = Plot(label="Histogram of run times")
        with ui.element("section").classes("card"):
            card_title("Slowest runs")
            self._slowest = TableFrame("Slowest runs")

    async def refresh(self) -> None:
        """Reads and shows the statistics."""
        monitor, window, task = current_monitor(), WINDOWS[self._window], self._task
        try:
            read = await monitor.live.cached(
                ("statistics", self._window, task),
                lambda: with_timeout(read_statistics(monitor.resources, window, task), seconds=SCAN_TIMEOUT),
                max_age=window.max_age,
            )
        except FlexiPriceError as error:
            self._failure.show(f"The statistics cannot be shown: {error.message}")
            return
        self._failure.show(None)
        if read is self._shown:
            return
        self._shown = read
        self._show_tasks(read.tasks)
        self._show_trend(read.trend)
        _show_spread(self._waits_spread, read.histograms, read.histograms.waits, VIOLET)
        _show_spread(self._took_spread, read.histograms, read.histograms.durations, ACTIVE)
        _show_slowest(self._slowest, read.slowest)

    def _build_choice(self) -> None:
        with ui.element("nav").classes("status-chips statistics-choice").props("aria-label=Window"):
            for key, window in WINDOWS.items():
                chip = Link(_url(key, self._task), window.name, classes="status-chip")
                if key == self._window:
                    chip.props("aria-current=true")
            if self._task:
                Link(_url(self._window, ""), f"{self._task}  ✕", classes="status-chip").props(
                    'aria-current=true aria-label="Show all tasks"'
                )

    def _show_tasks(self, tasks: Sequence[TaskStatistics]) -> None:
        if not tasks:
            self._tasks.clear()
            with self._tasks:
                Placeholder(
                    "Nothing has run in this window",
                    "Look further back, or run something:",
                    command="flexiprice run recompute_all_discounts",
                    icon="query_stats",
                )
            return
        # Too many columns for cards: on narrow screens the table scrolls in its frame.
        with self._tasks.table(_COLUMNS, stacking=False):
            for each in tasks:
                self._task_row(each)

    def _task_row(self, each: TaskStatistics) -> None:
        failed = each.by_status[RunStatus.FAILED]
        query = {"task": each.task, "window": self._window}
        with ui.element("tr"):
            with cell("Task"):
                Link(_url(self._window, each.task), each.task, classes="task-link")
            with cell("Runs", "right nowrap"):
                Link(f"/tasks?{urlencode(query)}", count(each.runs))
            number_cell("Per minute").text = _per_minute(each.throughput_per_minute)
            with cell("Failed", "right nowrap"):
                if failed:
                    Link(f"/tasks?{urlencode(query | {'status': 'failed'})}", count(failed))
                else:
                    Text("span", "0")
            number_cell("Failure rate").text = percent(each.failure_rate)
            number_cell("Retried").text = count(each.by_status[RunStatus.RETRYING])
            for name, figures in (("Waited", each.wait), ("Ran", each.duration)):
                for label, length in _percentiles(figures):
                    number_cell(f"{name} {label}").text = duration(length)

    def _show_trend(self, trend: Sequence[TrendBucket]) -> None:
        axis = instant_axis([bucket.starts_at for bucket in trend], days=self._window in {"7d", "30d"})
        by_name = {
            "succeeded": (GOOD, [bucket.by_status[RunStatus.SUCCEEDED] for bucket in trend]),
            "failed": (BAD, [bucket.by_status[RunStatus.FAILED] for bucket in trend]),
            "other": (QUIET, [sum(bucket.by_status[each] for each in _OTHERS) for bucket in trend]),
        }
        bars = [Curve(name, colour, "bar", points) for name, (colour, points) in by_name.items()]
        self._runs.show(bars, x_axis=axis)
        lines = [
            Curve("p50", ACCENT, "line", [_seconds(bucket.p50) for bucket in trend]),
            Curve("p95", ACTIVE, "line", [_seconds(bucket.p95) for bucket in trend], dashed=True),
        ]
        self._durations.show(lines, x_axis=axis)


def _show_spread(plot: Plot, histograms: RunHistograms, classes: Sequence[int], colour: str) -> None:
    ends, runs = histogram_bars(histograms.bounds, classes)
    plot.show([Curve("runs", colour, "bar", runs)], x_axis=category_axis(ends))


def _show_slowest(frame: TableFrame, runs: Sequence[Run]) -> None:
    if not runs:
        frame.clear()
        with frame:
            Text("p", "Nothing has ended in this window.", classes="quiet")
        return
    with frame.table(("Status", "Task", "Started", "Worker", "Ran>")):
        for run in runs:
            with ui.element("tr"):
                with cell("Status"):
                    Badge(run.status)
                with cell("Task"):
                    Link(job_path(run.job_id), run.task, classes="task-link")
                with cell("Started"):
                    Instant(run.started_at)
                with cell("Worker"):
                    Text("span", run.worker_id, classes="mono")
                number_cell("Ran").text = duration(run.ran)


def _percentiles(figures: Percentiles | None) -> Sequence[tuple[str, timedelta | None]]:
    if figures is None:
        return (("p50", None), ("p95", None), ("p99", None))
    return (("p50", figures.p50), ("p95", figures.p95), ("p99", figures.p99))


def _per_minute(rate: float) -> str:
    return count(round(rate)) if rate >= 10 else f"{rate:.2g}"


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _url(window: str, task: str) -> str:
    said = {"window": "" if window == "24h" else window, "task": task}
    encoded = urlencode({name: value for name, value in said.items() if value})
    return f"/statistics?{encoded}" if encoded else "/statistics"

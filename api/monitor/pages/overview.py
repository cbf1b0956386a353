"""The overview: key figures, alerts, charts of the last minutes, workers, next ticks and failures."""

from collections.abc import Callable
from typing import Final

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.charts import ACCENT, ACTIVE, BAD, GOOD, QUIET, VIOLET, WARNING, Line, TimeChart
from api.monitor.components.empty_states import Placeholder
from api.monitor.components.headline import Headline
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, job_path
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import cell, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.format import percent
from api.monitor.layout import follow, page
from api.monitor.state.health import Alert, find_alerts, late_or_failing, late_since
from api.monitor.state.series import OUTCOMES, ages, depths, run_times, throughput
from api.monitor.state.snapshot import Snapshot
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.runs.query import Run
from flexiprice.settings import Queue

_OUTCOME_COLOURS: Final = (GOOD, BAD, WARNING, QUIET, ACTIVE)
_QUEUE_COLOURS: Final = (ACCENT, ACTIVE, VIOLET)


@page("/", "Overview")
async def overview() -> None:
    """Shows the state of the whole system."""
    headline = Headline()
    alerts = _Alerts()
    with ui.element("div").classes("grid two"):
        outcomes = [
            Line(name, colour, "bar") for (name, _), colour in zip(OUTCOMES, _OUTCOME_COLOURS, strict=True)
        ]
        lines = [
            Line(queue.value, colour, dashed=number > 0)
            for number, (queue, colour) in enumerate(zip(Queue, _QUEUE_COLOURS, strict=True))
        ]
        charts = {
            throughput: _chart("Runs started per second, by outcome", outcomes, ""),
            run_times: _chart("Run time", [Line("p50", ACCENT), Line("p95", VIOLET, dashed=True)], " s"),
            depths: _chart("Jobs waiting", lines, ""),
            ages: _chart("Age of the oldest waiting job", lines, " s"),
        }
    with ui.element("div").classes("grid"):
        with _card("Workers", "/workers"):
            workers = LiveTable("Workers", ("Worker", "Status", "Runs>", "CPU>"), _worker, _no_worker)
        with _card("Next ticks", "/schedules"):
            schedules = LiveTable(
                "Next ticks", ("Schedule", "Next>"), _schedule, lambda: Placeholder("No schedule is known")
            )
    with _card("Last failures", "/tasks?status=failed"):
        failures = LiveTable("Last failures", ("Began", "Task", "Why", "Try>"), _failure, _no_failure)

    def render(now: Snapshot) -> None:
        alerts.show(find_alerts(now))
        wrong = late_or_failing(now)
        is_late = any(late_since(state) for state in now.broker.schedules) if now.broker else False
        headline.show_tasks(wrong, "/schedules" if wrong and is_late else "/tasks?status=failed,lost")
        for series, chart in charts.items():
            chart.show(series(now).at, series(now).values)
        broker, recent = now.broker, now.recent
        workers.show({worker.worker_id: worker for worker in broker.workers} if broker else {})
        schedules.show({state.name: state for state in broker.schedules} if broker else {})
        failures.show({str(run.run_id): run for run in recent.failures} if recent else {})

    follow(render)


class _Alerts(ui.element):
    """The alerts, or a message that there are none."""

    def __init__(self) -> None:
        super().__init__("section")
        self.classes("findings").props("aria-label=Alerts")
        self._shown: tuple[Alert, ...] | None = None

    def show(self, alerts: tuple[Alert, ...]) -> None:
        """Shows alerts."""
        if alerts == self._shown:
            return
        self._shown = alerts
        self.clear()
        with self:
            if not alerts:
                _line(
                    "good",
                    "check_circle",
                    "All is well",
                    "Workers take from every queue, and every schedule is on time.",
                )
            for alert in alerts:
                with _line(alert.severity.name.lower(), alert.severity.icon, alert.title, alert.advice):
                    if alert.since is not None:
                        ui.label("since ").classes("inline quiet")
                        Instant(alert.since).classes("nowrap")
                        ui.label(" · ").classes("inline quiet")
                        Instant(alert.since, "age").classes("nowrap quiet")
                    Link(alert.link, "Show", classes="finding-link")


def _line(severity: str, icon: str, title: str, advice: str) -> ui.element:
    with ui.element("div").classes(f"finding level-{severity}"):
        ui.icon(icon).props("aria-hidden=true")
        with ui.element("div").classes("finding-text"):
            Text("strong", title)
            Text("span", advice, classes="quiet")
        return ui.element("div").classes("finding-aside")


def _chart(title: str, lines: list[Line], unit: str) -> TimeChart:
    with ui.element("section").classes("card"):
        Text("h2", title)
        return TimeChart(lines, label=title, unit=unit, height=150)


def _card(title: str, path: str) -> ui.element:
    with ui.element("section").classes("card") as card, ui.element("div").classes("card-head"):
        Text("h2", title)
        with ui.element("div").classes("actions"):
            Link(path, "Show all")
    return card


def _no_worker() -> Placeholder:
    return Placeholder("No worker is running", "Start one with", command="flexiprice worker", icon="memory")


def _no_failure() -> Placeholder:
    return Placeholder("Nothing has failed", "Failed runs are listed here.", icon="check_circle")


def _worker(worker: LiveWorker) -> Callable[[LiveWorker], None]:
    text_cell(classes="strong").text = f"{worker.host}:{worker.pid}"
    with cell("Status"):
        state = Badge(worker.status)
    running, cpu = number_cell("Runs"), number_cell("CPU")

    def update(worker: LiveWorker) -> None:
        state.show(worker.status)
        running.text = f"{len(worker.running)} of {worker.concurrency * len(worker.queues)}"
        cpu.text = percent(worker.cpu)

    update(worker)
    return update


def _schedule(schedule: ScheduleState) -> Callable[[ScheduleState], None]:
    with cell():
        Link(f"/schedules#{schedule.name}", schedule.name)
    with cell("Next", "right nowrap"), ui.element("div"):
        next_tick = Instant(schedule.next_tick_at, "in")
        paused = Badge("paused")

    def update(schedule: ScheduleState) -> None:
        is_paused = schedule.paused_at is not None
        paused.set_visibility(is_paused)
        next_tick.set_visibility(not is_paused)
        next_tick.show(schedule.next_tick_at)

    update(schedule)
    return update


def _failure(run: Run) -> Callable[[Run], None]:
    with cell("Began", "nowrap"):
        Instant(run.started_at)
    with cell("Task"):
        Link(job_path(run.job_id), run.task)
    text_cell("Why", "breakable").text = run.error_message or run.error_code or run.status.value
    number_cell("Try").text = str(run.attempt or "–")
    return lambda _: None

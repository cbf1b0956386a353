"""The overview: a few numbers, whether all is well, how much is going on, and what comes next."""

from collections.abc import Callable
from typing import Final

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.charts import ACCENT, ACTIVE, BAD, GOOD, QUIET, VIOLET, WARNING, Line, TimeChart
from api.monitor.components.empty_states import Placeholder
from api.monitor.components.headline import Headline
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, job_path
from api.monitor.components.static_table import Rows, cell, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.format import percent
from api.monitor.layout import follow, page
from api.monitor.state.health import Alert, late_or_failing, late_since, verdict
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
    """Shows how everything stands."""
    headline = Headline()
    findings = _Findings()
    with ui.element("div").classes("grid two"):
        outcomes = [
            Line(name, colour, "bar") for (name, _), colour in zip(OUTCOMES, _OUTCOME_COLOURS, strict=True)
        ]
        lines = [
            Line(queue.value, colour, dashed=number > 0)
            for number, (queue, colour) in enumerate(zip(Queue, _QUEUE_COLOURS, strict=True))
        ]
        charts = {
            throughput: _chart("Runs begun per second, by how they stand", outcomes, ""),
            run_times: _chart("Run time", [Line("p50", ACCENT), Line("p95", VIOLET, dashed=True)], " s"),
            depths: _chart("Jobs waiting", lines, ""),
            ages: _chart("Oldest job waits", lines, " s"),
        }
    with ui.element("div").classes("grid"):
        with _card("Workers", "/workers"):
            workers = Rows("Workers", ("Worker", "State", "Runs>", "CPU>"), _worker, _no_worker)
        with _card("Next ticks", "/schedules"):
            ticks = Rows(
                "Next ticks", ("Schedule", "Next>"), _tick, lambda: Placeholder("No schedule is known")
            )
    with _card("Last failures", "/tasks?status=failed"):
        failures = Rows("Last failures", ("Began", "Task", "Why", "Attempt>"), _failure, _no_failure)

    def render(now: Snapshot) -> None:
        findings.show(verdict(now))
        wrong = late_or_failing(now)
        is_late = any(late_since(state) for state in now.fleet.schedules) if now.fleet else False
        headline.show_tasks(wrong, "/schedules" if wrong and is_late else "/tasks?status=failed,lost")
        for series, chart in charts.items():
            chart.show(series(now).at, series(now).values)
        fleet, history = now.fleet, now.history
        workers.show({worker.worker_id: worker for worker in fleet.workers} if fleet else {})
        ticks.show({state.name: state for state in fleet.schedules} if fleet else {})
        failures.show({str(run.run_id): run for run in history.failures} if history else {})

    follow(render)


class _Findings(ui.element):
    """What is wrong, or that nothing is."""

    def __init__(self) -> None:
        super().__init__("section")
        self.classes("findings").props("aria-label=Verdict")
        self._shown: tuple[Alert, ...] | None = None

    def show(self, findings: tuple[Alert, ...]) -> None:
        """Shows findings, the worst first."""
        if findings == self._shown:
            return
        self._shown = findings
        self.clear()
        with self:
            if not findings:
                _line(
                    "good",
                    "check_circle",
                    "All is well",
                    "Workers take from every queue, and every schedule is on time.",
                )
            for finding in findings:
                with _line(finding.level.name.lower(), finding.level.icon, finding.what, finding.advice):
                    if finding.since is not None:
                        ui.label("since ").classes("inline quiet")
                        Instant(finding.since).classes("nowrap")
                        ui.label(" · ").classes("inline quiet")
                        Instant(finding.since, "age").classes("nowrap quiet")
                    Link(finding.link, "Show", classes="finding-link")


def _line(level: str, icon: str, what: str, advice: str) -> ui.element:
    with ui.element("div").classes(f"finding level-{level}"):
        ui.icon(icon).props("aria-hidden=true")
        with ui.element("div").classes("finding-text"):
            Text("strong", what)
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
    return Placeholder("Nothing has failed", "Runs that fail stand here.", icon="check_circle")


def _worker(worker: LiveWorker) -> Callable[[LiveWorker], None]:
    text_cell(classes="strong").text = f"{worker.host}:{worker.pid}"
    with cell("State"):
        state = Badge(worker.status)
    running, cpu = number_cell("Runs"), number_cell("CPU")

    def update(worker: LiveWorker) -> None:
        state.show(worker.status)
        running.text = f"{len(worker.running)} of {worker.concurrency * len(worker.queues)}"
        cpu.text = percent(worker.cpu)

    update(worker)
    return update


def _tick(schedule: ScheduleState) -> Callable[[ScheduleState], None]:
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
    number_cell("Attempt").text = str(run.attempt or "–")
    return lambda _: None

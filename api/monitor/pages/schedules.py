"""The schedules page: next ticks, latest runs and lateness; pausing, resuming and running now."""

from datetime import datetime, timedelta
from typing import Final

from cronsim import CronSim
from nicegui import ui

from api.monitor.components.actions import perform, restricted
from api.monitor.components.badges import Badge
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, job_path, small_button
from api.monitor.components.text import Text
from api.monitor.context import current_source, current_user
from api.monitor.format import duration
from api.monitor.layout import follow, page
from api.monitor.state.health import late_since
from api.monitor.state.snapshot import Snapshot
from api.monitor.status_style import status_style
from flexiprice.domain.run import RunStatus
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.schedules import STARTED_BEFORE
from flexiprice.queue.declarations import DECLARED_SCHEDULES, SCHEDULES
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.runs.recent import ScheduleRun

_BUILT_IN: Final = frozenset(schedule.name for schedule in SCHEDULES)
_RUNNABLE: Final = frozenset(schedule.name for schedule in DECLARED_SCHEDULES)
_STRIP: Final = 50
# Signs in the strip, so that color is not the only one.
_SIGNS: Final = {RunStatus.FAILED: "×", RunStatus.LOST: "×", RunStatus.RUNNING: "…", RunStatus.RETRYING: "↻"}


@page("/schedules", "Schedules")
async def schedules() -> None:
    """Shows each schedule with its latest runs."""
    failure = Failure()
    place = ui.element("div")
    with place:
        cards = {schedule.name: _ScheduleCard(schedule.name) for schedule in SCHEDULES}

    def render(now: Snapshot) -> None:
        is_down = now.redis.down_since is not None
        failure.show("Redis does not answer: the schedules are shown as last read." if is_down else None)
        states = now.broker.schedules if now.broker else ()
        for name in cards.keys() - {state.name for state in states} - _BUILT_IN if states else ():
            # No live worker declares it any more, so its next tick is unknown.
            cards.pop(name).delete()
        for state in states:
            if state.name not in cards:
                with place:
                    cards[state.name] = _ScheduleCard(state.name)
            runs = now.recent.schedule_runs.get(state.task, ()) if now.recent else ()
            cards[state.name].show(now.at, state, runs)

    follow(render)


class _ScheduleCard(ui.element):
    """One schedule."""

    def __init__(self, name: str) -> None:
        super().__init__("section")
        self.classes("card").props(f"id={name}")
        self._name = name
        with self:
            with ui.element("div").classes("card-head"):
                Text("h2", name)
                self._badge = Badge("on time")
                with ui.element("div").classes("actions"):
                    self._run = restricted(small_button("Run now", name, self._ask_to_run))
                    if name not in _RUNNABLE:
                        self._run.disable()
                        self._run.tooltip(f"Only workers have it: {STARTED_BEFORE}.")
                    self._pause = restricted(small_button("Pause", name, self._ask_to_pause))
                    self._resume = restricted(small_button("Resume", name, self._do_resume))
            with ui.element("div").classes("columns"):
                with _column("Runs"):
                    self._words = Text("div", classes="strong")
                    self._crontab = Text("div", classes="quiet small")
                with _column("Next"):
                    self._next = Instant(None, "in").classes("strong")
                    with ui.element("div").classes("quiet small"):
                        self._next_at = Instant(None)
                with _column("Last run"):
                    with Link("/tasks") as self._last_link:
                        self._last = Badge("never")
                    with ui.element("div").classes("quiet small"):
                        self._last_at = Instant(None, "ago")
                        self._took = ui.label().classes("inline")
                with _column("Lateness"):
                    self._late = Text("div", classes="strong")
                    self._late_of = Text("div", classes="quiet small")
            self._error = Text("p", classes="error-line")
            self._strip = _Strip()

    def show(self, now: datetime, state: ScheduleState, runs: tuple[ScheduleRun, ...]) -> None:
        """Shows the schedule's current state."""
        late, paused = late_since(state), state.paused_at is not None
        self._badge.show("paused" if paused else "late" if late else "on time")
        for element, visible in ((self._pause, not paused), (self._resume, paused)):
            if element.visible != visible:
                element.set_visibility(visible)
        self._words.text = CronSim(state.crontab, now).explain()
        source = "by the monitor's settings: no worker enqueues it"
        if state.is_published:
            source = f"enqueued by {', '.join(worker for line in state.lines for worker in line.worker_ids)}"
        self._crontab.text = f"{state.crontab} · {state.time_zone} · {source}"
        self._next.show(None if paused else state.next_tick_at)
        self._next_at.show(None if paused else state.next_tick_at)
        last = runs[-1] if runs else None
        self._last.show(last.status if last else "never")
        if last:
            self._last_link.set_path(job_path(last.job_id))
        self._last_at.show(last.started_at if last else None)
        self._took.text = f" · took {_took(last)}" if last else ""
        self._show_lateness(now, late, last, state)
        failed = (last.error_message or "") if last and last.status is not RunStatus.SUCCEEDED else ""
        disagreement = f"Workers disagree on it: {state.disagreement}" if state.disagreement else ""
        self._error.text = disagreement or failed
        self._strip.show(runs[-_STRIP:])

    def _show_lateness(
        self, now: datetime, late: datetime | None, last: ScheduleRun | None, state: ScheduleState
    ) -> None:
        if state.paused_at is not None:
            self._late.text = "–"
            self._late_of.text = f"paused by {state.paused_by or 'an unknown user'}"
        elif late is not None:
            self._late.text = duration(now - late)
            self._late_of.text = "since the missed tick"
        elif last is not None and last.due_at is not None:
            self._late.text = duration(max(last.started_at - last.due_at, timedelta(0)))
            self._late_of.text = "from due to start, last run"
        else:
            self._late.text, self._late_of.text = "–", ""

    async def _ask_to_run(self) -> None:
        operation = operations.run_schedule(self._name, source=current_source())
        consequence = "Its task is enqueued now, even if the schedule is paused. Its ticks do not change."
        if await confirmed(f"Run {self._name} now?", consequence, verb="Run now", harmless=True):
            await perform(operation, lambda _: f"{self._name} is enqueued")

    async def _ask_to_pause(self) -> None:
        operation = operations.pause_schedule(self._name, by=current_user().name)
        consequence = "All workers skip its ticks until it is resumed."
        if await confirmed(f"Pause {self._name}?", consequence, verb="Pause"):
            await perform(operation, lambda _: f"{self._name} is paused: its ticks are skipped")

    async def _do_resume(self) -> None:
        message = f"{self._name} is resumed: it runs at its next tick"
        await perform(operations.resume_schedule(self._name), lambda _: message)


class _Strip(ui.element):
    """The latest runs, one mark each, the oldest first; the height of a mark is its run time."""

    def __init__(self) -> None:
        super().__init__("div")
        self.classes("strip").props("role=group aria-label='Latest runs, the oldest first'")
        self._shown: list[tuple[str, RunStatus]] | None = None

    def show(self, runs: tuple[ScheduleRun, ...]) -> None:
        """Shows runs, the oldest first."""
        shown = [(run.job_id, run.status) for run in runs]
        if shown == self._shown:
            return
        self._shown = shown
        self.clear()
        longest = max((_seconds(run) for run in runs), default=0.0)
        with self:
            if not runs:
                Placeholder("It has not run yet", "Its runs will be listed here.")
            for run in runs:
                height = 35 + 65 * (_seconds(run) / longest if longest else 0)
                about = f"{run.status.value}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC, took {_took(run)}"
                with Link(job_path(run.job_id)) as mark:
                    mark.props(f'title="{about}" aria-label="{about}"')
                    mark.classes(f"mark tone-{status_style(run.status.value)[1]}").style(
                        f"height: {height:.0f}%"
                    )
                    Text("span", _SIGNS.get(run.status, "")).props("aria-hidden=true")


def _seconds(run: ScheduleRun) -> float:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else 0.0


def _took(run: ScheduleRun) -> str:
    return duration(run.finished_at - run.started_at) if run.finished_at else "–"


def _column(name: str) -> ui.element:
    with ui.element("div").classes("column-of") as column:
        Text("h3", name)
    return column

"""The queues: how full they are, how fast they move, and stopping or emptying them."""

from collections.abc import Mapping
from datetime import timedelta

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.changes import allow, perform
from api.monitor.components.charts import ACCENT, Line, TimeChart
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure
from api.monitor.components.instants import Instant
from api.monitor.components.links import small_button
from api.monitor.components.text import Text
from api.monitor.context import current_viewer
from api.monitor.format import count, rate, things
from api.monitor.layout import follow, page
from api.monitor.state.recent import RATE_WINDOW
from api.monitor.state.series import depths
from api.monitor.state.snapshot import Snapshot
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.queues import QueueState
from flexiprice.settings import Queue

_FIGURES = {
    "waiting": "waiting",
    "deferred": "deferred",
    "running": "running",
    "in": "in",
    "out": "out",
    "oldest": "oldest waits",
}


@page("/queues", "Queues")
async def queues() -> None:
    """Shows each queue, and how it moved over the last minutes."""
    failure = Failure()
    with ui.element("div").classes("grid wide"):
        cards = {queue: _QueueCard(queue) for queue in Queue}

    def render(now: Snapshot) -> None:
        away = now.redis.away_since is not None
        failure.show("Redis does not answer: this is how the queues stood last." if away else None)
        for state in now.fleet.queues if now.fleet else ():
            cards[state.queue].show(now, state)

    follow(render)


class _QueueCard(ui.element):
    """One queue."""

    def __init__(self, queue: Queue) -> None:
        super().__init__("section")
        self.classes("card").props(f"id={queue}")
        self._queue = queue
        self._waiting = 0
        with self:
            with ui.element("div").classes("card-head"):
                Text("h2", queue.value)
                self._badge = Badge("open")
            self._paused = ui.element("p").classes("quiet")
            with self._paused:
                self._paused_by = ui.label().classes("inline")
                self._paused_at = Instant(None, "ago")
            with ui.element("div").classes("figures"):
                self._figures = {name: _figure(label) for name, label in _FIGURES.items()}
            self._chart = TimeChart(
                [Line("waiting", ACCENT, "area")], label=f"Jobs that wait in {queue}", height=110
            )
            with ui.element("div").classes("card-foot"):
                self._workers = Text("p", classes="quiet small")
                with ui.element("div").classes("actions"):
                    self._pause = allow(small_button("Pause", queue.value, self._ask_to_pause))
                    self._resume = allow(small_button("Resume", queue.value, self._do_resume))
                    self._purge = allow(small_button("Purge", queue.value, self._ask_to_purge))

    def show(self, now: Snapshot, state: QueueState) -> None:
        """Shows how the queue stands."""
        self._waiting = state.waiting + state.deferred
        paused = state.paused_at is not None
        served = now.fleet.workers if now.fleet else ()
        workers = sum(state.queue in worker.queues for worker in served)
        self._badge.show("paused" if paused else "open" if workers else "no worker")
        for element, visible in ((self._pause, not paused), (self._resume, paused), (self._paused, paused)):
            if element.visible != visible:
                element.set_visibility(visible)
        self._paused_by.text = f"Paused by {state.paused_by or 'somebody'} "
        self._paused_at.show(state.paused_at)
        figures = _rates(now, state)
        for name, figure in self._figures.items():
            figure.text = figures[name]
        self._chart.show(
            depths(now).at,
            [depths(now).values[list(Queue).index(state.queue)]],
        )
        if workers:
            places = sum(worker.concurrency for worker in served if state.queue in worker.queues)
            self._workers.text = (
                f"{things(workers, 'worker', 'take')} from it, {things(places, 'job')} at once"
            )
        else:
            self._workers.text = f"Nobody takes from it: flexiprice worker --queues {state.queue}"

    async def _ask_to_pause(self) -> None:
        operation = operations.pause_queue(self._queue, by=current_viewer().name)
        told = f"{self._queue} is paused: workers take nothing more from it"
        consequence = "Workers take nothing more from it until it is resumed. What runs goes on."
        if await confirmed(f"Pause {self._queue}?", consequence, verb="Pause"):
            await perform(operation, lambda _: told)

    async def _do_resume(self) -> None:
        await perform(operations.resume_queue(self._queue), lambda _: f"{self._queue} is resumed")

    async def _ask_to_purge(self) -> None:
        def told(purged: int) -> str:
            return f"{things(purged, 'job')} of {self._queue} {'was' if purged == 1 else 'were'} called off"

        consequence = (
            f"Every job that waits in it is called off, deferred ones included: {count(self._waiting)} now. "
            "Those that run go on. This cannot be undone."
        )
        if await confirmed(f"Purge {self._queue}?", consequence, verb="Purge", typed=self._queue.value):
            await perform(operations.purge_queue(self._queue), told)


def _rates(now: Snapshot, state: QueueState) -> Mapping[str, str]:
    minute = [point for point in now.queue_points if now.at - point.at <= RATE_WINDOW]
    ended = now.history.ended.get(state.queue.value, 0) if now.history else 0
    held = [point.held.get(state.queue, 0) for point in minute]
    # Jobs that came are those that left and those by which it holds more. Just started, we saw less of it.
    seen = max((minute[-1].at - minute[0].at) / RATE_WINDOW, 0.1) if minute else 1.0
    come = max(0.0, ended + (held[-1] - held[0]) / seen) if held else 0.0
    return {
        "waiting": count(state.waiting),
        "deferred": count(state.deferred),
        "running": count(state.running),
        "in": rate(come),
        "out": rate(ended),
        "oldest": _age(state.oldest_waiting),
    }


def _age(oldest: timedelta | None) -> str:
    if oldest is None:
        return "–"
    seconds = int(oldest.total_seconds())
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60} s"


def _figure(name: str) -> Text:
    with ui.element("div").classes("figure"):
        value = Text("div", "–", classes="value")
        Text("div", name, classes="name")
    return value

"""The queues page: sizes and rates, and pausing, resuming and purging."""

from collections.abc import Mapping
from datetime import timedelta

from nicegui import ui

from api.monitor.components.actions import perform, restricted
from api.monitor.components.badges import Badge
from api.monitor.components.charts import ACCENT, Line, TimeChart
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure
from api.monitor.components.instants import Instant
from api.monitor.components.links import small_button
from api.monitor.components.text import Text
from api.monitor.context import current_user
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
    """Shows each queue with its last minutes."""
    failure = Failure()
    with ui.element("div").classes("grid wide"):
        cards = {queue: _QueueCard(queue) for queue in Queue}

    def render(now: Snapshot) -> None:
        is_down = now.redis.down_since is not None
        failure.show("Redis does not answer: the queues are shown as last read." if is_down else None)
        for state in now.broker.queues if now.broker else ():
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
                    self._pause = restricted(small_button("Pause", queue.value, self._ask_to_pause))
                    self._resume = restricted(small_button("Resume", queue.value, self._do_resume))
                    self._purge = restricted(small_button("Purge", queue.value, self._ask_to_purge))

    def show(self, now: Snapshot, state: QueueState) -> None:
        """Shows the queue's current state."""
        self._waiting = state.waiting + state.deferred
        paused = state.paused_at is not None
        served = now.broker.workers if now.broker else ()
        workers = sum(state.queue in worker.queues for worker in served)
        self._badge.show("paused" if paused else "open" if workers else "no worker")
        for element, visible in ((self._pause, not paused), (self._resume, paused), (self._paused, paused)):
            if element.visible != visible:
                element.set_visibility(visible)
        self._paused_by.text = f"Paused by {state.paused_by or 'an unknown user'} "
        self._paused_at.show(state.paused_at)
        figures = _rates(now, state)
        for name, figure in self._figures.items():
            figure.text = figures[name]
        self._chart.show(
            depths(now).at,
            [depths(now).values[list(Queue).index(state.queue)]],
        )
        if workers:
            slots = sum(worker.concurrency for worker in served if state.queue in worker.queues)
            self._workers.text = (
                f"{things(workers, 'worker', 'take')} from it, {things(slots, 'job')} at once"
            )
        else:
            self._workers.text = f"No worker takes from it: flexiprice worker --queues {state.queue}"

    async def _ask_to_pause(self) -> None:
        operation = operations.pause_queue(self._queue, by=current_user().name)
        message = f"{self._queue} is paused: workers stop claiming its jobs"
        consequence = "Workers stop claiming its jobs until it is resumed. Running jobs finish."
        if await confirmed(f"Pause {self._queue}?", consequence, verb="Pause"):
            await perform(operation, lambda _: message)

    async def _do_resume(self) -> None:
        await perform(operations.resume_queue(self._queue), lambda _: f"{self._queue} is resumed")

    async def _ask_to_purge(self) -> None:
        def message(purged: int) -> str:
            return f"{things(purged, 'job')} of {self._queue} {'was' if purged == 1 else 'were'} revoked"

        consequence = (
            f"All waiting and deferred jobs are revoked: {count(self._waiting)} now. "
            "Running jobs finish. This cannot be undone."
        )
        if await confirmed(f"Purge {self._queue}?", consequence, verb="Purge", typed=self._queue.value):
            await perform(operations.purge_queue(self._queue), message)


def _rates(now: Snapshot, state: QueueState) -> Mapping[str, str]:
    minute = [point for point in now.queue_points if now.at - point.at <= RATE_WINDOW]
    ended = now.recent.ended.get(state.queue.value, 0) if now.recent else 0
    total = [point.total.get(state.queue, 0) for point in minute]
    # Arrived jobs are the ended ones plus the growth; just after a start, less than a minute was observed.
    seen = max((minute[-1].at - minute[0].at) / RATE_WINDOW, 0.1) if minute else 1.0
    arrived = max(0.0, ended + (total[-1] - total[0]) / seen) if total else 0.0
    return {
        "waiting": count(state.waiting),
        "deferred": count(state.deferred),
        "running": count(state.running),
        "in": rate(arrived),
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

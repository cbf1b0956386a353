"""The workers page: live workers with their jobs and load; draining and stopping."""

from collections.abc import Callable
from datetime import timedelta

from nicegui import ui

from api.monitor.components.actions import perform, restricted
from api.monitor.components.badges import Badge
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, job_path, small_button
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import cell, number_cell
from api.monitor.components.text import Text
from api.monitor.format import count, duration, percent, size
from api.monitor.layout import follow, page
from api.monitor.state.snapshot import Snapshot
from flexiprice.queue.admin.operations import drain_or_stop_worker
from flexiprice.queue.worker.heartbeat import LiveWorker, WorkerCommand, WorkerStatus

_COLUMNS = (
    "Worker",
    "Status",
    "Queues",
    "Running",
    "Done>",
    "Failed>",
    "Retried>",
    "CPU>",
    "Memory>",
    "Uptime",
    "Actions",
)
_CONSEQUENCES = {
    WorkerCommand.DRAIN: "It claims no more jobs, finishes its running jobs without a time limit, and exits.",
    WorkerCommand.STOP: (
        "It stops as on SIGTERM: jobs that do not finish within the grace period run on another worker. "
        "Nothing is lost, and nothing is done twice."
    ),
}


@page("/workers", "Workers")
async def workers() -> None:
    """Shows the live workers by their latest heartbeats."""
    failure = Failure()
    with ui.element("section").classes("card"):
        table = LiveTable("Workers", _COLUMNS, _row, _no_worker)
    note = "A worker without a heartbeat for three seconds is declared dead and leaves this list."
    Text("p", note, classes="footnote")

    def render(now: Snapshot) -> None:
        is_down = now.redis.down_since is not None
        failure.show("Redis does not answer: the workers are shown as last read." if is_down else None)
        table.show({worker.worker_id: worker for worker in now.broker.workers} if now.broker else {})

    follow(render)


def _no_worker() -> Placeholder:
    return Placeholder(
        "No worker is running",
        "Jobs wait and schedules do not tick until one runs. Start one with",
        command="flexiprice worker",
        icon="memory",
    )


def _row(worker: LiveWorker) -> Callable[[LiveWorker], None]:
    with cell(), ui.element("div"):
        Text("div", worker.host, classes="strong")
        Text("div", f"pid {worker.pid} · version {worker.version}", classes="small nowrap")
        Text("div", worker.worker_id, classes="quiet worker-id")
    with cell("Status"), ui.element("div"):
        state = Badge(worker.status)
        with ui.element("div").classes("quiet small nowrap"):
            ui.label("heartbeat ").classes("inline")
            seen = Instant(worker.seen_at, "ago")
    with cell("Queues"), ui.element("div").classes("chips"):
        for queue in worker.queues:
            Link(f"/queues#{queue}", queue.value, classes="chip")
    with cell("Running", "grow"):
        jobs = _RunningJobs()
    done, failed, retried = number_cell("Done"), number_cell("Failed"), number_cell("Retried")
    with cell("CPU", "right nowrap"), ui.element("div"):
        cpu = Text("div")
        lag = Text("div", classes="quiet small")
    memory = number_cell("Memory")
    with cell("Uptime", "nowrap"):
        Instant(worker.started_at, "age")
    with cell("", "actions-cell"), ui.element("div").classes("actions nowrap"):
        buttons = [
            restricted(_button(worker, command, label))
            for command, label in ((WorkerCommand.DRAIN, "Drain"), (WorkerCommand.STOP, "Stop"))
        ]

    def update(worker: LiveWorker) -> None:
        state.show(worker.status)
        seen.show(worker.seen_at)
        jobs.show(worker)
        done.text, failed.text, retried.text = map(count, (worker.succeeded, worker.failed, worker.retried))
        failed.classes(add="bad" if worker.failed else "", remove="" if worker.failed else "bad")
        cpu.text = percent(worker.cpu)
        lag.text = f"loop {duration(timedelta(seconds=worker.loop_lag_seconds))}"
        memory.text = size(worker.memory_bytes)
        for button in buttons:
            if worker.status is WorkerStatus.DRAINING and button.enabled:
                button.disable()

    update(worker)
    return update


class _RunningJobs(ui.element):
    """The running jobs of a worker, each with its age and a link to its page."""

    def __init__(self) -> None:
        super().__init__("div")
        self._shown: list[str] = []

    def show(self, worker: LiveWorker) -> None:
        slots = f"{len(worker.running)} of {worker.concurrency * len(worker.queues)}"
        jobs = [slots, *(f"{job.job_id} {job.attempt}" for job in worker.running[:_JOBS_SHOWN])]
        if jobs == self._shown:
            return
        self._shown = jobs
        self.clear()
        with self:
            Text("div", slots, classes="nowrap")
            for job in worker.running[:_JOBS_SHOWN]:
                with ui.element("div").classes("small nowrap"):
                    Link(job_path(job.job_id), job.task)
                    ui.label(" since ").classes("inline quiet")
                    Instant(job.started_at, "age").classes("quiet")
            if len(worker.running) > _JOBS_SHOWN:
                Text("div", f"and {len(worker.running) - _JOBS_SHOWN} more", classes="quiet small")


_JOBS_SHOWN = 3


def _button(worker: LiveWorker, command: WorkerCommand, label: str) -> ui.button:
    name = f"{worker.host}:{worker.pid}"

    async def ask() -> None:
        if await confirmed(f"{label} {name}?", _CONSEQUENCES[command], verb=label):
            await perform(drain_or_stop_worker(worker.worker_id, command), message)

    def message(confirmed: bool) -> str:
        return f"{name} {'takes no more tasks' if confirmed else 'does not answer: the order was withdrawn'}"

    return small_button(label, name, ask)

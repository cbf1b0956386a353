"""The page of one task: facts, timeline, error, arguments, result and subjobs; revoking and retrying."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from nicegui import ui

from api.monitor.components.actions import perform, restricted
from api.monitor.components.badges import Badge
from api.monitor.components.code_block import CodeBlock
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, add_style_sheet, job_path, small_button
from api.monitor.components.table_frame import TableFrame, card_title
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_source
from api.monitor.format import duration
from api.monitor.layout import page
from api.monitor.queries.task_rows import progress_made, progress_text
from api.monitor.queries.task_timeline import TaskTimeline, read_task_timeline, timeline_events
from api.monitor.status_style import status_style
from flexiprice.queue.admin import operations
from flexiprice.queue.progress import Progress
from flexiprice.runs.query import Run

# Half the second within which changes must be visible: a poll and a cached read may add up.
_REFRESH_SECONDS = 0.5


@page("/tasks/{job_id:path}", "Task", section="/tasks")
async def run(job_id: str) -> None:
    """Shows one task."""
    view = _RunView(job_id)
    await view.refresh()
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


class _RunView:
    """One open page."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._shown: TaskTimeline | None = None
        add_style_sheet("tasks")
        self._failure = Failure()
        with ui.element("div").classes("run-head"):
            self._name = Text("h2", classes="run-name")
            self._badge = Badge("unknown")
            with ui.element("div").classes("actions"):
                self._revoke = restricted(small_button("Revoke", "this task", self._ask_to_revoke))
                self._retry = restricted(small_button("Retry", "this task", self._do_retry))
        with ui.element("div").classes("run-progress") as self._progress:
            with (
                ui.element("div").classes("meter").props("role=progressbar aria-valuemin=0 aria-valuemax=100")
            ):
                self._meter = ui.element("div")
            self._progress_text = Text("span", classes="quiet")
        self._body = ui.element("div")

    async def refresh(self) -> None:
        """Reads the task, and shows it if it has changed."""
        monitor = current_monitor()
        timeline = await monitor.live.cached(
            ("task", self._job_id),
            lambda: read_task_timeline(monitor.resources, self._job_id),
            max_age=_REFRESH_SECONDS * 0.8,
        )
        self._show_progress(timeline.job.progress if timeline.job and not timeline.has_ended else None)
        # The body is not rebuilt for progress alone, so that users can read and copy it.
        without_progress = (
            replace(timeline, job=replace(timeline.job, progress=None)) if timeline.job else timeline
        )
        if without_progress == self._shown:
            return
        self._shown = without_progress
        self._failure.show("; ".join(timeline.failures) or None)
        self._name.text = timeline.task if timeline.is_known else "No such task"
        self._badge.set_visibility(timeline.is_known)
        self._badge.show(timeline.status)
        self._revoke.set_visibility(timeline.is_known and not timeline.has_ended)
        self._retry.set_visibility(timeline.job is not None and timeline.has_ended)
        self._body.clear()
        with self._body:
            if timeline.is_known:
                _body(timeline)
            elif not timeline.failures:
                Placeholder(
                    f"No task has the id {self._job_id}",
                    "It never existed, or it is no longer stored.",
                    icon="search_off",
                )

    def _show_progress(self, progress: Progress | None) -> None:
        self._progress.set_visibility(progress is not None)
        if progress is None:
            return
        self._meter.style(f"width: {progress_made(progress) or 0.0:.2%}")
        self._progress_text.text = progress_text(progress)

    async def _ask_to_revoke(self) -> None:
        effect = "A waiting task will not start; a running one is cancelled."
        if await confirmed("Revoke this task?", effect, verb="Revoke"):
            await perform(operations.revoke_task(self._job_id), lambda answer: f"Revoked: {answer.message}")
            await self.refresh()

    async def _do_retry(self) -> None:
        operation = operations.retry_task(self._job_id, source=current_source())
        answer = await perform(operation, lambda answer: answer.message)
        if answer is not None and answer.new_job_id:
            ui.navigate.to(job_path(answer.new_job_id))


def _body(timeline: TaskTimeline) -> None:
    with ui.element("div").classes("grid run-grid"):
        with ui.element("section").classes("card"):
            card_title("Facts")
            _facts(timeline)
        with ui.element("section").classes("card"):
            card_title("Timeline")
            _timeline(timeline)
    latest = timeline.latest
    error = timeline.job.error if timeline.job else None
    code, message = (error.code, error.message) if error else ("", "")
    if latest and latest.error_code and not code:
        code, message = latest.error_code, latest.error_message or ""
    if code:
        with ui.element("section").classes("card run-error"):
            card_title("Error")
            Text("p", message)
            Text("p", code, classes="mono quiet")
            if latest and latest.traceback:
                CodeBlock(latest.traceback, label="Traceback")
    with ui.element("div").classes("grid"):
        with ui.element("section").classes("card"):
            card_title("Arguments")
            CodeBlock(timeline.arguments, label="Arguments", empty="None, or no longer stored.")
        with ui.element("section").classes("card"):
            card_title("Result")
            result = timeline.job.result if timeline.job and timeline.job.ready else None
            result = latest.result if result is None and latest else result
            CodeBlock(
                result, label="Result", empty="None." if timeline.has_ended else "The task has not ended."
            )
    if len(timeline.attempts) > 1:
        _runs("Tries", timeline.attempts, linked=False)
    if timeline.children:
        _runs("Subjobs", timeline.children, linked=True)


def _facts(timeline: TaskTimeline) -> None:
    job, latest = timeline.job, timeline.latest
    worker = (job.worker_id if job else None) or (latest.worker_id if latest else None)
    queue = (job.queue.value if job and job.queue else None) or (latest.queue if latest else None)
    parent = (job.source.parent_job_id if job else None) or (latest.parent_job_id if latest else None)
    request = (job.source.request_id if job else None) or (latest.request_id if latest else None)
    trigger = (job.source.trigger if job else None) or (latest.trigger if latest else None)
    attempt = (job.attempt if job else 0) or (latest.attempt if latest else 0)
    started = (job.started_at if job else None) or (latest.started_at if latest else None)
    finished = (job.finished_at if job else None) or (latest.finished_at if latest else None)
    with ui.element("dl").classes("facts"):
        _fact("Job", timeline.job_id, mono=True)
        _fact("Queue", queue)
        _fact("Worker", worker, mono=True)
        _fact("Try", str(attempt) if attempt else None)
        _fact("Trigger", trigger.value.replace("_", " ") if trigger else None)
        _fact("By", job.source.actor if job else None)
        if parent:
            Text("dt", "Parent")
            with ui.element("dd"):
                Link(job_path(parent), parent, classes="mono")
        _fact("Request", request, mono=True)
        _instant_fact("Enqueued", timeline.enqueued_at)
        _instant_fact("Due", job.due_at if job else None)
        _instant_fact("Started", started)
        _instant_fact("Finished", finished)
        if latest and latest.attempt:
            _fact("Waited", duration(latest.waited))
            _fact("Ran", duration(latest.ran) if latest.ran else None)


def _fact(name: str, value: str | None, *, mono: bool = False) -> None:
    if value:
        Text("dt", name)
        Text("dd", value, classes="mono" if mono else "")


def _instant_fact(name: str, at: datetime | None) -> None:
    if at is not None:
        Text("dt", name)
        with ui.element("dd"):
            Instant(at)


def _timeline(timeline: TaskTimeline) -> None:
    with ui.element("ol").classes("timeline"):
        for event in timeline_events(timeline):
            icon, tone = status_style(event.status)
            with ui.element("li"):
                ui.icon(icon).props("aria-hidden=true").classes(f"sign-{tone}")
                with ui.element("div"):
                    Text("strong", event.title)
                    if event.detail:
                        Text("div", event.detail, classes="quiet")
                Instant(event.at)


def _runs(title: str, runs: Iterable[Run], *, linked: bool) -> None:
    with ui.element("section").classes("card"):
        card_title(title)
        columns = ("Status", "Task" if linked else "Try", "Worker", "Started", "Ran", "Error")
        with TableFrame(title).table(columns):
            for each in runs:
                _run_row(each, linked=linked)


def _run_row(each: Run, *, linked: bool) -> None:
    with ui.element("tr"):
        with ui.element("td").props("data-name=Status"):
            Badge(each.status)
        if linked:
            with ui.element("td").props("data-name=Task"):
                Link(job_path(each.job_id), each.task)
        else:
            Text("td", str(each.attempt)).props("data-name=Try")
        Text("td", each.worker_id, classes="mono").props("data-name=Worker")
        with ui.element("td").props("data-name=Started"):
            Instant(each.started_at)
        Text("td", duration(each.ran)).props("data-name=Ran")
        Text("td", each.error_message or "").props("data-name=Error")

"""One task: everything that is known of it, live, and what can be done about it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from nicegui import ui

from api.monitor.components.badges import Badge
from api.monitor.components.changes import allow, perform
from api.monitor.components.code_block import Document
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, add_style_sheet, job_path, small_button
from api.monitor.components.live_table import TableFrame, card_title
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_origin
from api.monitor.format import duration
from api.monitor.layout import page
from api.monitor.queries.task_rows import progress_made, progress_text
from api.monitor.queries.task_timeline import TaskTimeline, moments, read_story
from api.monitor.status_looks import look
from flexiprice.queue.admin import operations
from flexiprice.queue.progress import Progress
from flexiprice.runs.query import Run

# Read and told by turns, what happens is seen within a second.
_REFRESH_SECONDS = 0.5


@page("/tasks/{job_id:path}", "Task", section="/tasks")
async def run(job_id: str) -> None:
    """Shows one task."""
    view = _RunView(job_id)
    await view.refresh()
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


class _RunView:
    """The page of one viewer."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._shown: TaskTimeline | None = None
        add_style_sheet("tasks")
        self._failure = Failure()
        with ui.element("div").classes("run-head"):
            self._name = Text("h2", classes="run-name")
            self._badge = Badge("unknown")
            with ui.element("div").classes("actions"):
                self._revoke = allow(small_button("Revoke", "this task", self._ask_to_revoke))
                self._retry = allow(small_button("Retry", "this task", self._do_retry))
        with ui.element("div").classes("run-progress") as self._progress:
            with (
                ui.element("div").classes("meter").props("role=progressbar aria-valuemin=0 aria-valuemax=100")
            ):
                self._meter = ui.element("div")
            self._progress_text = Text("span", classes="quiet")
        self._body = ui.element("div")

    async def refresh(self) -> None:
        """Reads anew; only what has changed is shown anew."""
        monitor = current_monitor()
        story = await monitor.live.shared(
            ("task", self._job_id),
            lambda: read_story(monitor.resources, self._job_id),
            max_age=_REFRESH_SECONDS * 0.8,
        )
        self._show_progress(story.job.progress if story.job and not story.has_ended else None)
        # What is read or copied further down must not move with every step.
        without_progress = replace(story, job=replace(story.job, progress=None)) if story.job else story
        if without_progress == self._shown:
            return
        self._shown = without_progress
        self._failure.show("; ".join(story.failures) or None)
        self._name.text = story.task if story.is_known else "No such task"
        self._badge.set_visibility(story.is_known)
        self._badge.show(story.status)
        self._revoke.set_visibility(story.is_known and not story.has_ended)
        self._retry.set_visibility(story.job is not None and story.has_ended)
        self._body.clear()
        with self._body:
            if story.is_known:
                _body(story)
            elif not story.failures:
                Placeholder(
                    f"Nothing is known of {self._job_id}",
                    "There was no such task, or it is no longer kept.",
                    icon="search_off",
                )

    def _show_progress(self, progress: Progress | None) -> None:
        self._progress.set_visibility(progress is not None)
        if progress is None:
            return
        self._meter.style(f"width: {progress_made(progress) or 0.0:.2%}")
        self._progress_text.text = progress_text(progress)

    async def _ask_to_revoke(self) -> None:
        effect = "If it waits it will never start; if it runs it is cancelled."
        if await confirmed("Revoke this task?", effect, verb="Revoke"):
            await perform(operations.revoke_task(self._job_id), lambda answer: f"Revoked: {answer.message}")
            await self.refresh()

    async def _do_retry(self) -> None:
        operation = operations.retry_task(self._job_id, origin=current_origin())
        answer = await perform(operation, lambda answer: answer.message)
        if answer is not None and answer.new_job_id:
            ui.navigate.to(job_path(answer.new_job_id))


def _body(story: TaskTimeline) -> None:
    with ui.element("div").classes("grid run-grid"):
        with ui.element("section").classes("card"):
            card_title("Facts")
            _facts(story)
        with ui.element("section").classes("card"):
            card_title("Timeline")
            _timeline(story)
    latest = story.latest
    error = story.job.error if story.job else None
    code, message = (error.code, error.message) if error else ("", "")
    if latest and latest.error_code and not code:
        code, message = latest.error_code, latest.error_message or ""
    if code:
        with ui.element("section").classes("card run-error"):
            card_title("Error")
            Text("p", message)
            Text("p", code, classes="mono quiet")
            if latest and latest.traceback:
                Document(latest.traceback, label="Traceback")
    with ui.element("div").classes("grid"):
        with ui.element("section").classes("card"):
            card_title("Arguments")
            Document(story.arguments, label="Arguments", empty="It has none, or they are no longer known.")
        with ui.element("section").classes("card"):
            card_title("Result")
            result = story.job.result if story.job and story.job.ready else None
            result = latest.result if result is None and latest else result
            Document(result, label="Result", empty="None." if story.has_ended else "It has not ended.")
    if len(story.attempts) > 1:
        _runs("Tries", story.attempts, linked=False)
    if story.children:
        _runs("Tasks that came of it", story.children, linked=True)


def _facts(story: TaskTimeline) -> None:
    job, latest = story.job, story.latest
    worker = (job.worker_id if job else None) or (latest.worker_id if latest else None)
    queue = (job.queue.value if job and job.queue else None) or (latest.queue if latest else None)
    parent = (job.origin.parent_job_id if job else None) or (latest.parent_job_id if latest else None)
    request = (job.origin.request_id if job else None) or (latest.request_id if latest else None)
    trigger = (job.origin.trigger if job else None) or (latest.trigger if latest else None)
    attempt = (job.attempt if job else 0) or (latest.attempt if latest else 0)
    started = (job.started_at if job else None) or (latest.started_at if latest else None)
    finished = (job.finished_at if job else None) or (latest.finished_at if latest else None)
    with ui.element("dl").classes("facts"):
        _fact("Job", story.job_id, mono=True)
        _fact("Queue", queue)
        _fact("Worker", worker, mono=True)
        _fact("Try", str(attempt) if attempt else None)
        _fact("Trigger", trigger.value.replace("_", " ") if trigger else None)
        _fact("By", job.origin.actor if job else None)
        if parent:
            Text("dt", "Parent")
            with ui.element("dd"):
                Link(job_path(parent), parent, classes="mono")
        _fact("Request", request, mono=True)
        _instant_fact("Enqueued", story.enqueued_at)
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


def _timeline(story: TaskTimeline) -> None:
    with ui.element("ol").classes("timeline"):
        for moment in moments(story):
            icon, tone = look(moment.status)
            with ui.element("li"):
                ui.icon(icon).props("aria-hidden=true").classes(f"sign-{tone}")
                with ui.element("div"):
                    Text("strong", moment.what)
                    if moment.detail:
                        Text("div", moment.detail, classes="quiet")
                Instant(moment.at)


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

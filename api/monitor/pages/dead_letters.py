"""The dead letter page: reasons, and retrying or dismissing."""

from collections.abc import Callable, Sequence
from typing import Final

from nicegui import ui

from api.monitor.components.actions import perform, restricted
from api.monitor.components.confirmation import confirmed
from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import Instant
from api.monitor.components.links import Link, job_path, small_button
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import MANY, cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_source
from api.monitor.format import things
from api.monitor.layout import page
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.dead_letters import MAX_LISTED, DeadLetter, list_dead_letters
from flexiprice.queue.admin.retry import Retried, RetryOutcome
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason

_READ_EVERY_SECONDS: Final = 1.0
_COLUMNS: Final = ("Task", "Reason", "Since", "Why", "Actions")
_REASONS: Final = {
    DeadLetterReason.GIVEN_UP: "given up",
    DeadLetterReason.CORRUPT: "unreadable",
    DeadLetterReason.UNKNOWN_TASK: "unknown task",
    DeadLetterReason.FAILED: "failed",
    DeadLetterReason.BAD_ENTRY: "bad entry in Redis",
}


@page("/dead-letters", "Dead letters")
async def dead_letters() -> None:
    """Shows the dead letters."""
    failure = Failure()
    with ui.element("section").classes("card").props("aria-label='Dead letters'"):
        with ui.element("div").classes("card-head"):
            number = Text("p", classes="quiet")
            with ui.element("div").classes("actions"):
                restricted(small_button("Retry all", "dead letters", _ask_to_retry_all))
                restricted(small_button("Dismiss all", "dead letters", _ask_to_dismiss_all))
        rows = LiveTable[DeadLetter]("Dead letters", _COLUMNS, _make_row, _empty, folded_to=MANY)
    monitor = current_monitor()

    async def refresh() -> None:
        try:
            found = await monitor.live.cached(
                "dead letters",
                lambda: list_dead_letters(monitor.resources.redis),
                max_age=_READ_EVERY_SECONDS,
            )
        except FlexiPriceError as error:
            failure.show(error.message)
            return
        failure.show(None)
        more = f" The latest {MAX_LISTED} are shown." if len(found) >= MAX_LISTED else ""
        number.text = f"{things(len(found), 'task')} ended without completing.{more}" if found else ""
        rows.show({f"{letter.reason} {letter.job_id}": letter for letter in found})

    await refresh()
    ui.timer(_READ_EVERY_SECONDS, refresh, immediate=False)


def _empty() -> ui.element:
    return Placeholder(
        "No task needs a person",
        "Tasks that are given up, are unreadable, or fail after all of their tries are listed here.",
        icon="task_alt",
    )


def _make_row(letter: DeadLetter) -> Callable[[DeadLetter], None]:
    with cell("Task", "breakable"):
        if letter.reason is DeadLetterReason.BAD_ENTRY:
            Text("span", letter.job_id)
        else:
            Link(job_path(letter.job_id), letter.task or letter.job_id)
            Text("div", letter.job_id, classes="quiet small")
    text_cell("Reason", "nowrap").text = _REASONS[letter.reason]
    with cell("Since", "nowrap"):
        Instant(letter.died_at)
    text_cell("Why", "breakable").text = letter.message

    async def retry() -> None:
        await _retry([letter.job_id])

    async def drop() -> None:
        await _dismiss([letter.job_id])

    with cell("", "nowrap"), ui.element("div").classes("actions"):
        if letter.retryable:
            restricted(small_button("Retry", letter.job_id, retry))
        restricted(small_button("Dismiss", letter.job_id, drop))
    return lambda _: None


async def _ask_to_retry_all() -> None:
    effect = "Every task on the list that can be retried is enqueued again with the same arguments."
    if await confirmed("Retry all dead letters?", effect, verb="Retry all"):
        await _retry(None)


async def _ask_to_dismiss_all() -> None:
    effect = "They are removed from the list and will not run. The run history keeps them."
    if await confirmed("Dismiss all dead letters?", effect, verb="Dismiss all", typed="dismiss all"):
        await _dismiss(None)


async def _retry(job_ids: Sequence[str] | None) -> None:
    await perform(operations.retry_dead_letters(job_ids, source=current_source()), _summary)


async def _dismiss(job_ids: Sequence[str] | None) -> None:
    await perform(operations.dismiss_dead_letters(job_ids), lambda dismissed: f"{dismissed} dismissed")


def _summary(answers: Sequence[Retried]) -> str:
    refused = [answer.message for answer in answers if answer.outcome is not RetryOutcome.ENQUEUED]
    enqueued = f"{len(answers) - len(refused)} enqueued again"
    return f"{enqueued}; {len(refused)} not: {refused[0]}" if refused else enqueued

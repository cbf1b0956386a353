"""Triggers and previews recomputes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from nicegui import ui

from api.monitor.auth.user import Right
from api.monitor.components.actions import perform, restricted
from api.monitor.components.badges import Badge
from api.monitor.components.links import Link, job_path, small_button
from api.monitor.components.table_frame import TableFrame, cell, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_source
from api.monitor.format import amount, count, off, stock, things
from api.monitor.queries.prices import read_preview
from flexiprice.domain.expiry import expiry_words
from flexiprice.errors import FlexiPriceError
from flexiprice.pricing.preview import CategoryTotals, PreviewChange, RecomputePreview
from flexiprice.queue.admin.operations import trigger_recompute
from flexiprice.queue.status import JobInfo, JobStatus

_COUNTED = ("considered", "opened", "changed", "closed", "unchanged")
_TOTALS = ("Category", "Opened>", "Changed>", "Closed>", "Stock value now>", "then>")
_CHANGES = ("Product", "Store", "Expires", "Days>", "Stock>", "What", "From>", "To>", "Off>", "Why")


class RecomputeCard(ui.element):
    """Triggers a recompute and shows its progress, or previews its changes."""

    def __init__(self, *, on_finished: Callable[[], Awaitable[None]]) -> None:
        """Creates the card.

        Args:
            on_finished: called when a recompute triggered by this card has ended.
        """
        super().__init__("section")
        self._on_finished = on_finished
        settings = current_monitor().resources.settings
        self.classes("card")
        with self:
            with ui.element("div").classes("card-head"):
                Text("h2", "Recompute")
                with ui.element("div").classes("actions"):
                    self._days = ui.number(
                        "Days to expiry", value=settings.days_threshold, min=1, max=365, step=1, precision=0
                    )
                    self._days.props("outlined dense").classes("recompute-days")
                    small_button("Preview", "what a recompute would change", self._preview)
                    self._start = restricted(
                        small_button("Recompute now", "all prices", self._recompute), Right.PRICE
                    )
            with ui.element("div").classes("recompute-state") as self._state:
                self._badge = Badge("queued")
                with ui.element("div").classes("meter").props("role=progressbar"):
                    self._meter = ui.element("div")
                self._message = Text("span")
                self._link = Link("/tasks", "Show the task")
            self._state.set_visibility(False)
            self._outcome = ui.element("div")
            with self._outcome:
                Text(
                    "p",
                    "Prices every batch that expires within these days, by the active policy. A schedule "
                    "runs it too; the preview writes nothing.",
                    classes="quiet",
                )

    async def _recompute(self) -> None:
        operation = trigger_recompute(days_threshold=self._threshold(), source=current_source())
        job = await perform(operation, lambda _: "The recompute is enqueued", right=Right.PRICE)
        if job is None:
            return
        self._outcome.clear()
        self._link.set_path(job_path(job.job_id))
        self._state.set_visibility(True)
        self._start.disable()
        try:
            async for status in current_monitor().resources.tasks.follow(job.job_id):
                self._show(status)
            await self._on_finished()
        except FlexiPriceError as error:
            self._message.text = f"Its outcome is unknown: {error.message}"
        finally:
            self._start.enable()

    def _show(self, status: JobInfo) -> None:
        self._badge.show(status.status)
        progress = status.progress
        fraction = progress.done / progress.total if progress and progress.total else 0.0
        self._meter.style(f"width: {1.0 if status.ready else min(1.0, fraction):.2%}")
        if status.status is JobStatus.SUCCEEDED:
            self._message.text = _summary(status.result)
        elif status.error is not None:
            self._message.text = status.error.message
        elif status.status is JobStatus.QUEUED:
            self._message.text = "waits for a worker"
        else:
            self._message.text = (progress.message or "") if progress else ""

    async def _preview(self) -> None:
        monitor, days = current_monitor(), self._threshold()
        self._state.set_visibility(False)
        self._outcome.clear()
        with self._outcome:
            Text("p", "Computing the preview …", classes="quiet")
        try:
            preview = await monitor.live.cached(
                ("preview", days), lambda: read_preview(monitor.resources, days_threshold=days), max_age=5
            )
        except FlexiPriceError as error:
            self._outcome.clear()
            with self._outcome:
                Text("p", f"The preview failed: {error.message}", classes="quiet")
            return
        self._outcome.clear()
        with self._outcome:
            _show_preview(preview)

    def _threshold(self) -> int:
        return max(1, min(365, int(self._days.value or 0)))


def _summary(result: object) -> str:
    if not isinstance(result, dict):
        return "done"
    facts = cast("Mapping[str, Any]", result)
    return ", ".join(f"{count(int(facts[name]))} {name}" for name in _COUNTED if name in facts)


def _show_preview(preview: RecomputePreview) -> None:
    summary = preview.summary
    changes = summary.opened + summary.changed + summary.closed
    Text(
        "p",
        f"A recompute now would open {things(summary.opened, 'discount')}, change {count(summary.changed)} "
        f"and close {count(summary.closed)}; of {things(summary.considered, 'batch')} "
        f"{count(summary.unchanged)} would not change. Nothing has been written.",
    )
    if not changes:
        return
    with TableFrame("Changes by category").classes("spaced").table(_TOTALS):
        for totals in preview.totals:
            _totals_row(totals)
    with TableFrame("Changes by batch").classes("spaced").table(_CHANGES):
        for change in preview.changes:
            _change_row(change)
    if preview.truncated:
        Text("p", f"The {len(preview.changes)} largest discounts are listed.", classes="quiet")


def _totals_row(totals: CategoryTotals) -> None:
    with ui.element("tr"):
        text_cell("Category").text = totals.category
        for name, number in (
            ("Opened", totals.opened),
            ("Changed", totals.changed),
            ("Closed", totals.closed),
        ):
            number_cell(name).text = count(number)
        number_cell("Stock value now").text = amount(totals.stock_value_before)
        number_cell("then").text = amount(totals.stock_value_after)


def _change_row(change: PreviewChange) -> None:
    with ui.element("tr"):
        with cell("Product"):
            Link(f"/prices?sku={change.sku}&store={change.store}", change.product)
        text_cell("Store").text = change.store
        text_cell("Expires", "nowrap").text = expiry_words(change.expiry_date)
        number_cell("Days").text = "–" if change.days_to_expiry is None else str(change.days_to_expiry)
        number_cell("Stock").text = stock(change.quantity, change.unit)
        text_cell("What").text = change.kind.value
        number_cell("From").text = amount(change.previous_price or change.base_price)
        number_cell("To").text = amount(change.price or change.base_price)
        number_cell("Off").text = off(change.rate) if change.rate else "–"
        why = [change.rule or "", *(limit.value.replace("_", " ") for limit in change.limits)]
        closed = change.close_reason.value.replace("_", " ") if change.close_reason else ""
        text_cell("Why").text = ", ".join(word for word in (closed, *why) if word)

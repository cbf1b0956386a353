"""The price history of a product: a search, a chart of its price steps, and a table with their reasons."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

from nicegui import ui

from api.monitor.components.charts import QUIET
from api.monitor.components.instants import Instant
from api.monitor.components.links import Form, Link
from api.monitor.components.plots import Curve, Plot, time_axis
from api.monitor.components.table_frame import TableFrame, cell, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import amount, count, off, stock
from api.monitor.queries.prices import STEPS_SHOWN, find_products, read_product
from flexiprice.domain.decision import DecisionKind
from flexiprice.domain.expiry import NO_DATE
from flexiprice.domain.quantity import Unit
from flexiprice.errors import FlexiPriceError, NotFound
from flexiprice.pricing.price_history import PriceHistory
from flexiprice.pricing.price_timeline import PriceStep, ProductSteps

_MAX_STEPS = 60
_COLUMNS = ("When", "Batch", "What", "From>", "To>", "Off>", "Why", "Days left>", "Stock>", "Policy>")


class ProductPrices(ui.element):
    """The card of one product, or of the products that a search found."""

    def __init__(self, *, search: str, sku: str, store: str, stores: Sequence[str]) -> None:
        """Creates the search form.

        Args:
            search: text to search for in SKUs and names.
            sku: SKU of the product to show; empty to search.
            store: code of the store.
            stores: codes of all stores.
        """
        super().__init__("section")
        self.classes("card").props("id=product")
        self._search, self._sku, self._store = search, sku, store
        with self:
            with ui.element("div").classes("card-head"):
                Text("h2", "Prices of a product")
                with Form("/prices#product", classes="actions"):
                    field = ui.element("input").props(
                        'type=search name=search aria-label="SKU or name" maxlength=100'
                    )
                    field.props["placeholder"] = "SKU or name"
                    # As an attribute: an update of a property would overwrite the user's input.
                    field.props["^value"] = search or sku
                    if len(stores) > 1:
                        with ui.element("select").props("name=store aria-label=Store"):
                            for code in stores:
                                option = Text("option", code)
                                option.props["value"] = code
                                if code == store:
                                    option.props("selected")
                    Text("button", "Find", classes="plain-button").props("type=submit")
            self._body = ui.element("div")

    async def read(self) -> None:
        """Reads and shows the product, or the products that were found."""
        resources = current_monitor().resources
        self._body.clear()
        with self._body:
            try:
                if self._search and not self._sku:
                    found = await find_products(resources, self._search)
                    if len(found) != 1 and self._search not in {product.sku for product in found}:
                        with self._body:
                            self._list([(product.sku, product.name, product.category) for product in found])
                        return
                    self._sku = self._search if len(found) != 1 else found[0].sku
                if not self._sku:
                    Text("p", "Find a product to see its price changes and their reasons.", classes="quiet")
                    return
                steps, history, now = await read_product(resources, sku=self._sku, store=self._store)
            except NotFound as error:
                Text("p", f"{error.message}.", classes="quiet")
                return
            except FlexiPriceError as error:
                Text("p", f"It cannot be shown: {error.message}", classes="quiet")
                return
            _show(steps, history, now)

    def _list(self, found: Sequence[tuple[str, str, str]]) -> None:
        if not found:
            Text("p", f"No product has “{self._search}” in its SKU or name.", classes="quiet")
            return
        with ui.element("ul").classes("found"):
            for sku, name, category in found:
                with ui.element("li"):
                    query = urlencode({"sku": sku, "store": self._store})
                    Link(f"/prices?{query}#product", name)
                    Text("span", f"{sku} · {category}", classes="quiet")


def _show(found: ProductSteps, history: PriceHistory, now: datetime) -> None:
    currency = current_monitor().resources.settings.currency
    Text(
        "p",
        f"{found.product} ({found.sku}, {found.category}) in {found.store}: base price "
        f"{amount(found.base_price)} {currency}, lowest price of the last 30 days "
        f"{amount(history.lowest_30_days)} {currency}",
    )
    if history.reduction is not None:
        with ui.element("p"):
            Text("span", "Reduced since ")
            Instant(history.reduction.began_at)
            prior = amount(history.reduction.prior_price)
            Text("span", f"; prior price, the lowest of the 30 days before: {prior} {currency}")
    if not found.steps:
        Text("p", f"No price of it changed in the last {STEPS_SHOWN.days} days.", classes="quiet")
        return
    plot = Plot(
        label=f"Prices of {found.product} over time, in {currency}",
        height=260,
        has_notes=True,
        unit=f" {currency}",
    )
    oldest = found.steps[-1].decided_at
    since = oldest - (now - oldest) * 0.05
    plot.show([*_batches(found.steps, since, now), _base(found, since, now)], x_axis=time_axis(since, now))
    with TableFrame("Price changes").classes("spaced").table(_COLUMNS):
        for step in found.steps[:_MAX_STEPS]:
            _row(step, found.unit)
    if len(found.steps) > _MAX_STEPS:
        Text(
            "p",
            f"The latest {_MAX_STEPS} of {count(len(found.steps))} changes are listed.",
            classes="quiet",
        )


def _row(step: PriceStep, unit: Unit) -> None:
    with ui.element("tr"):
        with cell("When"):
            Instant(step.decided_at)
        text_cell("Batch").text = _batch_name(step)
        text_cell("What").text = step.kind.value
        number_cell("From").text = amount(step.previous_price)
        number_cell("To").text = amount(step.price)
        number_cell("Off").text = off(step.rate) if step.rate else "–"
        text_cell("Why").text = reason(step)
        number_cell("Days left").text = "–" if step.days_to_expiry is None else str(step.days_to_expiry)
        number_cell("Stock").text = stock(step.quantity, unit)
        number_cell("Policy").text = f"v{step.policy_version}"


def reason(step: PriceStep) -> str:
    """Formats the reason of a price change."""
    if step.close_reason is not None:
        return step.close_reason.value.replace("_", " ")
    limits = [limit.value.replace("_", " ") for limit in step.limits]
    return ", ".join([step.rule or "no rule matches", *limits])


def _batch_name(step: PriceStep) -> str:
    day = f"{step.expiry_date:%d %b}" if step.expiry_date else NO_DATE
    return f"{step.lot or step.batch_id} · {day}"


def _batches(steps: Sequence[PriceStep], since: datetime, now: datetime) -> list[Curve]:
    """Returns a curve for each batch, from its first known price to now or until its discount closed."""
    by_batch: dict[int, list[PriceStep]] = {}
    for step in reversed(steps):
        by_batch.setdefault(step.batch_id, []).append(step)
    curves: list[Curve] = []
    for of_batch in by_batch.values():
        first, last = of_batch[0], of_batch[-1]
        points: list[list[float]] = []
        notes: list[str] = []
        begins_at = first.decided_at if first.kind is DecisionKind.OPENED else since
        points.append(_point(begins_at, first.previous_price))
        notes.append("")
        for step in of_batch:
            points.append(_point(step.decided_at, step.price))
            notes.append(f"{amount(step.previous_price)} → {amount(step.price)}: {reason(step)}")
        if last.kind is not DecisionKind.CLOSED:
            points.append(_point(now, last.price))
            notes.append("")
        curves.append(Curve(_batch_name(last), None, "step", points, notes=notes))
    return curves


def _base(found: ProductSteps, since: datetime, now: datetime) -> Curve:
    """Returns the curve of the base prices in force at each time, without times of unknown base price."""
    known = [each for each in found.base_prices if each.valid_to is None or each.valid_to > since]
    points = [_point(max(each.valid_from, since), each.price) for each in known]
    notes = [f"base price {amount(each.price)}" for each in known]
    return Curve(
        "base price", QUIET, "step", [*points, _point(now, found.base_price)], dashed=True, notes=[*notes, ""]
    )


def _point(at: datetime, price: Decimal) -> list[float]:
    # Prices become floats only for drawing.
    return [round(at.timestamp() * 1000), float(price)]

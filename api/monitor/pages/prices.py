"""The prices page: open discounts, expiring stock, the policy's discounts, and a product's price history."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Final
from urllib.parse import urlencode

from nicegui import ui

from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.heat_map import HeatMap
from api.monitor.components.links import Link, add_style_sheet
from api.monitor.components.policy_card import PolicyCard
from api.monitor.components.product_prices import ProductPrices
from api.monitor.components.recompute_card import RecomputeCard
from api.monitor.components.table_frame import TableFrame, card_title, number_cell, text_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import amount, brief, count, percent, things
from api.monitor.layout import page
from api.monitor.queries.prices import HORIZON, PriceOverview, read_prices
from api.monitor.timeouts import SCAN_TIMEOUT, with_timeout
from flexiprice.db.tables import MAIN_STORE
from flexiprice.errors import FlexiPriceError
from flexiprice.plurals import noun_for
from flexiprice.pricing.stock_value import ExpiringStock, ReducedStock, value_at_risk

_REFRESH_SECONDS: Final = 5.0
# The query reads all batches; it takes about a second for half a million.
_MAX_AGE: Final = 15.0
_MOST_ROWS: Final = 25
_BY: Final = {"category": "By category", "store": "By store"}
_MEASURES: Final = {"value": "Value", "pieces": "Pieces"}
_REDUCED: Final = ("Store", "Category", "Discounts>", "Pieces>", "At base price>", "Now>", "Given away>")


@page("/prices", "Prices")
async def prices(
    by: str = "category",
    show: str = "value",
    quantity: int = 20,
    category: str = "",
    search: str = "",
    sku: str = "",
    store: str = MAIN_STORE,
) -> None:
    """Shows prices and stock."""
    view = _PricesView(
        by if by in _BY else "category", show if show in _MEASURES else "value", quantity, category[:300]
    )
    await view.refresh()
    product = ProductPrices(search=search[:100], sku=sku[:64], store=store[:40], stores=view.stores)
    await product.read()
    ui.timer(_REFRESH_SECONDS, view.refresh, immediate=False)


class _PricesView:
    """The live part of one open page."""

    def __init__(self, by: str, show: str, quantity: int, category: str) -> None:
        self._by, self._measure, self._category = by, show, category
        self._quantity = max(1, min(quantity, 1_000_000))
        self._read: PriceOverview | None = None
        self._currency = current_monitor().resources.settings.currency
        add_style_sheet("tasks")
        add_style_sheet("prices")
        self._failure = Failure()
        self._figures = ui.element("section").classes("card price-figures").props('aria-label="At a glance"')
        RecomputeCard(on_finished=partial(self.refresh, max_age=0))
        with ui.element("section").classes("card"):
            with ui.element("div").classes("card-head"):
                Text("h2", "Stock by days to expiry")
                with ui.element("div").classes("actions"):
                    self._chips("by", _BY, self._by)
                    self._chips("show", _MEASURES, self._measure)
            self._heat = ui.element("div")
        with ui.element("div").classes("grid charts"):
            with ui.element("section").classes("card"):
                card_title("Open discounts")
                self._reduced = TableFrame("Open discounts")
            self._policy = PolicyCard(
                category=self._category,
                quantity=self._quantity,
                others={"by": self._by, "show": self._measure},
            )

    @property
    def stores(self) -> list[str]:
        """Codes of the stores."""
        return [store.code for store in self._read.stores] if self._read else []

    async def refresh(self, *, max_age: float = _MAX_AGE) -> None:
        """Reads and shows prices, from the cache if they are at most `max_age` seconds old."""
        monitor = current_monitor()
        try:
            read = await monitor.live.cached(
                ("prices",),
                lambda: with_timeout(read_prices(monitor.resources), seconds=SCAN_TIMEOUT),
                max_age=max_age,
            )
        except FlexiPriceError as error:
            self._failure.show(f"Prices cannot be shown: {error.message}")
            return
        self._failure.show(None)
        before, self._read = self._read, read
        if before is None or (before.reduced, before.expiring) != (read.reduced, read.expiring):
            self._show_figures(read)
            self._show_heat(read.expiring)
            self._show_reduced(read.reduced)
        if before is None or before.policy.version != read.policy.version:
            self._policy.show(read.policy)

    def _url(self, **changes: str) -> str:
        said = {"by": self._by, "show": self._measure, "quantity": str(self._quantity)}
        said |= {"category": self._category} if self._category else {}
        said |= changes
        return f"/prices?{urlencode(said)}"

    def _chips(self, name: str, meanings: dict[str, str], chosen: str) -> None:
        for key, meaning in meanings.items():
            chip = Link(self._url(**{name: key}), meaning, classes="status-chip")
            if key == chosen:
                chip.props("aria-current=true")

    def _show_figures(self, read: PriceOverview) -> None:
        discounts = sum(each.discounts for each in read.reduced)
        base = sum((each.value_at_base for each in read.reduced), Decimal(0))
        now = sum((each.value_now for each in read.reduced), Decimal(0))
        self._figures.clear()
        with self._figures:
            _figure(count(discounts), noun_for(discounts, "open discount"))
            _figure(f"{amount(now)} {self._currency}", f"their stock now, of {amount(base)} at base prices")
            for risk in value_at_risk(read.expiring):
                days = "today or tomorrow" if risk.days == 1 else f"within {risk.days} days"
                _figure(
                    f"{amount(risk.value_now)} {self._currency}",
                    f"at risk: {things(risk.batches, 'batch', 'expire')} {days}",
                )

    def _show_heat(self, stock: Sequence[ExpiringStock]) -> None:
        self._heat.clear()
        groups: dict[str, dict[int, ExpiringStock]] = {}
        for each in stock:
            name = each.store if self._by == "store" else each.category
            if name is not None:
                groups.setdefault(name, {})[each.days_to_expiry] = each
        ordered = sorted(groups.items(), key=lambda group: -sum(each.value_now for each in group[1].values()))
        with self._heat:
            if not ordered:
                Placeholder(
                    f"Nothing expires within {HORIZON} days",
                    "Stock comes in by the API or from a file:",
                    command="flexiprice import batches.csv",
                    icon="inventory_2",
                )
                return
            by_pieces = self._measure == "pieces"
            shown = ordered[:_MOST_ROWS]
            HeatMap(
                "Stock by days to expiry",
                _BY[self._by].removeprefix("By ").capitalize(),
                ["today", *(str(day) for day in range(1, HORIZON + 1))],
                {
                    name: [self._cell(of_group.get(day), by_pieces=by_pieces) for day in range(HORIZON + 1)]
                    for name, of_group in shown
                },
                hottest=max(
                    float(each.pieces if by_pieces else each.value_now)
                    for _, of_group in shown
                    for each in of_group.values()
                ),
            )
            if len(ordered) > _MOST_ROWS:
                Text(
                    "p",
                    f"{things(len(ordered) - _MOST_ROWS, 'row')} of less value not listed.",
                    classes="quiet",
                )

    def _cell(self, stock: ExpiringStock | None, *, by_pieces: bool) -> tuple[float, str, str]:
        if stock is None:
            return 0.0, "", ""
        hint = (
            f"{things(stock.batches, 'batch')}, {count(stock.discounts)} reduced; "
            f"{things(stock.pieces, 'piece')}, all worth {amount(stock.value_now)} {self._currency}, "
            f"{amount(stock.value_at_base)} at base prices"
        )
        if by_pieces:
            return float(stock.pieces), brief(Decimal(stock.pieces)), hint
        return float(stock.value_now), brief(stock.value_now), hint

    def _show_reduced(self, reduced: Sequence[ReducedStock]) -> None:
        if not reduced:
            self._reduced.clear()
            with self._reduced:
                Placeholder("No discount is open", "No batch is near enough to its expiry date.", icon="sell")
            return
        with self._reduced.table(_REDUCED):
            for each in reduced[:_MOST_ROWS]:
                _reduced_row(each)
        with self._reduced:
            if len(reduced) > _MOST_ROWS:
                Text(
                    "p",
                    f"{things(len(reduced) - _MOST_ROWS, 'group')} of less value not listed.",
                    classes="quiet more",
                )


def _figure(value: str, name: str) -> None:
    with ui.element("div").classes("figure"):
        Text("span", value, classes="value")
        Text("span", name, classes="name")


def _reduced_row(each: ReducedStock) -> None:
    with ui.element("tr"):
        text_cell("Store").text = each.store
        text_cell("Category").text = each.category
        number_cell("Discounts").text = count(each.discounts)
        number_cell("Pieces").text = count(each.pieces)
        number_cell("At base price").text = amount(each.value_at_base)
        number_cell("Now").text = amount(each.value_now)
        given = 1 - float(each.value_now / each.value_at_base) if each.value_at_base else 0.0
        number_cell("Given away").text = percent(given)

"""The numbers with which an operator begins the day: what may be lost, what is reduced, what goes wrong."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from nicegui import ui

from api.monitor.components.empty_states import Placeholder
from api.monitor.components.links import Link
from api.monitor.components.static_table import Rows, cell, number_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import amount, count
from api.monitor.queries.prices import StockReading, read_stock
from api.monitor.timeouts import FOR_MUCH, answered
from flexiprice.errors import FlexiPriceError
from flexiprice.pricing.stock_figures import StockFigures, of_all_stores

_REFRESH_SECONDS: Final = 5.0
# Half a second of the database where there are 200,000 batches, for all who look.
_HOLDS_SECONDS: Final = 15.0
_MOST_STORES: Final = 10
_BY_STORE: Final = "/prices?by=store"
_COLUMNS: Final = ("Store", "At risk>", "Discounts>", "Taken off>", "Last day today>")
_UNKNOWN: Final = "–"


class Headline(ui.element):
    """Four numbers, and those of each store where there are several."""

    def __init__(self) -> None:
        super().__init__("section")
        self.classes("card").props("aria-label='At a glance'")
        self._currency = current_monitor().resources.settings.currency
        with self:
            with ui.element("div").classes("headline"):
                self._at_risk = _Figure("/prices", "at risk")
                self._discounts = _Figure("/prices", "batches discounted now")
                self._last_day = _Figure(_BY_STORE, "on its last day: waste tonight unless sold")
                self._tasks = _Figure("/tasks?status=failed,lost", "tasks late or failing")
            with ui.element("details").classes("by-store") as self._by_store:
                Text("summary", "By store")
                self._stores = Rows(
                    "Stock by store", _COLUMNS, _store, lambda: Placeholder("No store has stock")
                )
                self._more = Link(_BY_STORE)
                with self._more:
                    self._more_text = Text("span")
        self._by_store.set_visibility(False)
        # Not while the page is built: it must not wait for a database that is slow or away.
        ui.timer(_REFRESH_SECONDS, self._refresh)

    def show_tasks(self, names: frozenset[str] | None, path: str) -> None:
        """Shows how many tasks are late or fail, and leads to more of it; None where nobody knows."""
        about = ", ".join(sorted(names)) if names else ""
        self._tasks.show(_UNKNOWN if names is None else count(len(names)), about=about, is_bad=bool(names))
        self._tasks.lead_to(path)

    async def _refresh(self) -> None:
        monitor = current_monitor()
        try:
            read = await monitor.live.shared(
                ("stock",),
                lambda: answered(read_stock(monitor.resources), within=FOR_MUCH),
                max_age=_HOLDS_SECONDS,
            )
        except FlexiPriceError as error:
            for figure in (self._at_risk, self._discounts, self._last_day):
                figure.show(_UNKNOWN, about=f"It cannot be shown: {error.message}")
            return
        self._show(read)

    def _show(self, read: StockReading) -> None:
        total = of_all_stores(read.stores)
        within = f"within {read.horizon} days" if read.horizon else "today"
        self._at_risk.show(
            self._money(total.at_risk),
            name=f"at risk: expires {within}, at base prices",
            about=f"So far ahead policy {read.policy_version} takes something off, and a recompute looks.",
        )
        self._discounts.show(
            count(total.discounts),
            name=f"batches discounted now, by {self._money(total.reduced_by)}",
            about="Batches with an open discount, and what it takes off all of their units.",
        )
        self._last_day.show(
            self._money(total.last_day), about="Today is each store's own date; at the prices in force."
        )
        several = len(read.stores) > 1
        if self._by_store.visible != several:
            self._by_store.set_visibility(several)
        shown = read.stores[:_MOST_STORES]
        self._stores.show({str(each.store): each for each in shown} if several else {})
        hidden = len(read.stores) - len(shown)
        self._more_text.text = f"{count(hidden)} more stores" if hidden else "Stock by store"

    def _money(self, value: Decimal) -> str:
        return f"{amount(value)} {self._currency}"


class _Figure(Link):
    """A number that leads to more of it."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, classes="figure")
        with self:
            self._value = Text("span", _UNKNOWN, classes="value")
            self._name = Text("span", name, classes="name")

    def show(self, value: str, *, name: str | None = None, about: str = "", is_bad: bool = False) -> None:
        """Shows a number.

        Args:
            value: as people read it.
            name: of what; None for what it said before.
            about: how it is counted, told by the tooltip.
            is_bad: whether somebody should look at it.
        """
        if self._value.text != value:
            self._value.text = value
            self._value.classes(replace="value bad" if is_bad else "value")
        if name is not None and self._name.text != name:
            self._name.text = name
        if self.props.get("title") != about:
            self.props["title"] = about
            self.update()


def _store(figures: StockFigures) -> Callable[[StockFigures], None]:
    with cell("Store"):
        Link(f"{_BY_STORE}&store={figures.store}", str(figures.store))
    at_risk, discounts = number_cell("At risk"), number_cell("Discounts")
    taken_off, last_day = number_cell("Taken off"), number_cell("Last day today")

    def update(figures: StockFigures) -> None:
        at_risk.text = amount(figures.at_risk)
        discounts.text = count(figures.discounts)
        taken_off.text = amount(figures.reduced_by)
        last_day.text = amount(figures.last_day)

    update(figures)
    return update

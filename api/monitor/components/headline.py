"""Key figures of the overview: stock at risk, open discounts, last-day stock, and failing tasks."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from nicegui import ui

from api.monitor.components.empty_states import Placeholder
from api.monitor.components.links import Link
from api.monitor.components.live_table import LiveTable
from api.monitor.components.table_frame import cell, number_cell
from api.monitor.components.text import Text
from api.monitor.context import current_monitor
from api.monitor.format import amount, count
from api.monitor.queries.prices import StockSummary, read_stock
from api.monitor.timeouts import SCAN_TIMEOUT, with_timeout
from flexiprice.errors import FlexiPriceError
from flexiprice.pricing.stock_figures import StockFigures, of_all_stores

_REFRESH_SECONDS: Final = 5.0
# The query is shared by all pages; it takes about half a second for 200,000 batches.
_MAX_AGE: Final = 15.0
_MOST_STORES: Final = 10
_BY_STORE: Final = "/prices?by=store"
_COLUMNS: Final = ("Store", "At risk>", "Discounts>", "Taken off>", "Last day today>")
_UNKNOWN: Final = "–"


class Headline(ui.element):
    """Four key figures, also by store if there are several."""

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
                self._stores = LiveTable(
                    "Stock by store", _COLUMNS, _store, lambda: Placeholder("No store has stock")
                )
                self._more = Link(_BY_STORE)
                with self._more:
                    self._more_text = Text("span")
        self._by_store.set_visibility(False)
        # Not while the page is built, which must not wait for a slow or unavailable PostgreSQL.
        ui.timer(_REFRESH_SECONDS, self._refresh)

    def show_tasks(self, names: frozenset[str] | None, path: str) -> None:
        """Shows the number of late or failing tasks.

        Args:
            names: names of the tasks; None if unknown.
            path: path of the page with details.
        """
        about = ", ".join(sorted(names)) if names else ""
        self._tasks.show(_UNKNOWN if names is None else count(len(names)), about=about, is_bad=bool(names))
        self._tasks.set_path(path)

    async def _refresh(self) -> None:
        monitor = current_monitor()
        try:
            read = await monitor.live.cached(
                ("stock",),
                lambda: with_timeout(read_stock(monitor.resources), seconds=SCAN_TIMEOUT),
                max_age=_MAX_AGE,
            )
        except FlexiPriceError as error:
            for figure in (self._at_risk, self._discounts, self._last_day):
                figure.show(_UNKNOWN, about=f"It cannot be shown: {error.message}")
            return
        self._show(read)

    def _show(self, read: StockSummary) -> None:
        total = of_all_stores(read.stores)
        expiry = f"within {read.horizon} days" if read.horizon else "today"
        self._at_risk.show(
            self._money(total.at_risk),
            name=f"at risk: expires {expiry}, at base prices",
            about=f"The days before expiry in which policy {read.policy_version} gives discounts.",
        )
        self._discounts.show(
            count(total.discounts),
            name=f"batches discounted now, by {self._money(total.reduced_by)}",
            about="Batches with an open discount, and the discount on all of their stock.",
        )
        self._last_day.show(self._money(total.last_day), about="By each store's own date, at current prices.")
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
    """A key figure that links to details."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, classes="figure")
        with self:
            self._value = Text("span", _UNKNOWN, classes="value")
            self._name = Text("span", name, classes="name")

    def show(self, value: str, *, name: str | None = None, about: str = "", is_bad: bool = False) -> None:
        """Shows a value.

        Args:
            value: the formatted value.
            name: caption; None keeps the current one.
            about: tooltip that explains the value.
            is_bad: whether it is highlighted as a problem.
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

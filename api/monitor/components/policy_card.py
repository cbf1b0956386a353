"""Discounts of the active policy by days to expiry: a curve for one category, a table for all."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from nicegui import ui

from api.monitor.components.charts import ACCENT, QUIET
from api.monitor.components.heat_map import HeatMap
from api.monitor.components.links import Form
from api.monitor.components.plots import Curve, Plot, category_axis
from api.monitor.components.text import Text
from api.monitor.format import off
from flexiprice.domain.discount_curve import DiscountCurve, discount_curves
from flexiprice.pricing.policy_versions import PolicyVersion

_CURVE_DAYS: Final = 30
_TABLE_DAYS: Final = 7
# Large enough that rounding to cents is not visible in the rate.
_EXAMPLE_PRICE: Final = Decimal("100.00")


class PolicyCard(ui.element):
    """The card of the active policy."""

    def __init__(self, *, category: str, quantity: int, others: Mapping[str, str]) -> None:
        """Creates an empty card.

        Args:
            category: key of the curve's category.
            quantity: of the example batch, in pieces.
            others: other query parameters of the page, which the form keeps.
        """
        super().__init__("section")
        self.classes("card")
        self._category, self._quantity, self._others = category, quantity, others
        with self:
            with ui.element("div").classes("card-head"):
                self._name = Text("h2", "Discounts of the policy")
                self._choice = Form("/prices", classes="actions")
            self._curve = Plot(label="Discount by days to expiry", height=220, percent=True)
            self._table = ui.element("div").classes("spaced")

    def show(self, active: PolicyVersion) -> None:
        """Shows a policy."""
        self._name.text = f"Discounts of policy {active.version}"
        fallback, *own = discount_curves(
            active.policy, base_price=_EXAMPLE_PRICE, quantity=Decimal(self._quantity), days=_CURVE_DAYS
        )
        wanted = [curve for curve in own if curve.category_key == self._category]
        chosen = (wanted or own or [fallback])[0]
        self._choice.clear()
        with self._choice:
            self._choose(own, chosen)
        lines = [_line(chosen, ACCENT)]
        if chosen is not fallback:
            lines.append(_line(fallback, QUIET, dashed=True))
        days = ["last day" if day == 0 else str(day) for day in range(_CURVE_DAYS, -1, -1)]
        self._curve.show(lines, x_axis=category_axis(days))
        self._table.clear()
        with self._table:
            HeatMap(
                "Discounts of the policy by category and days to expiry",
                "Category",
                ["last day", *(str(day) for day in range(1, _TABLE_DAYS + 1))],
                {_name_of(curve): _cells(curve) for curve in (*own, fallback)},
                hottest=1.0,
            )

    def _choose(self, own: Sequence[DiscountCurve], chosen: DiscountCurve) -> None:
        for name, value in self._others.items():
            ui.element("input").props(f"type=hidden name={name} value={value}")
        if own:
            with ui.element("select").props("name=category aria-label=Category"):
                for curve in own:
                    option = Text("option", _name_of(curve))
                    option.props["value"] = curve.category_key or ""
                    if curve is chosen:
                        option.props("selected")
        with ui.element("label").classes("quiet"):
            Text("span", "stock ")
            field = ui.element("input").props("type=number name=quantity min=1 max=1000000 aria-label=Stock")
            # As an attribute: an update of a property would overwrite the user's input.
            field.props["^value"] = self._quantity
        Text("button", "Show", classes="plain-button").props("type=submit")


def _line(curve: DiscountCurve, colour: str, *, dashed: bool = False) -> Curve:
    points = [float(point.rate) for point in reversed(curve.points)]
    return Curve(_name_of(curve), colour, "step", points, dashed=dashed)


def _cells(curve: DiscountCurve) -> list[tuple[float, str, str]]:
    return [
        (float(point.rate), off(point.rate) if point.rate else "", point.rule or "")
        for point in curve.points[: _TABLE_DAYS + 1]
    ]


def _name_of(curve: DiscountCurve) -> str:
    return curve.category_key or "everything else"

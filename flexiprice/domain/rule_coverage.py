"""Rule coverage: the batches, by days to expiry and stock, that a rule decides and no stronger one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from flexiprice.domain.policy import PricingPolicy, PricingRule, by_discount
from flexiprice.domain.quantity import MAX_QUANTITY, THOUSANDTHS, Unit, format_quantity, from_thousandths
from flexiprice.domain.ranges import Range

# Days beyond any date that a batch can have.
_NEVER = 10_000_000
_MAX_THOUSANDTHS = MAX_QUANTITY * THOUSANDTHS


@dataclass(frozen=True, slots=True)
class Point:
    """The batches with these days to expiry and this stock, in thousandths of the unit."""

    days_to_expiry: int
    thousandths: int
    unit: Unit

    def meets(self, rule: PricingRule) -> bool:
        """Whether the rule matches these batches."""
        return rule.matches(self.days_to_expiry, self.quantity, self.unit)

    @property
    def quantity(self) -> Decimal:
        """The stock in the unit."""
        return from_thousandths(self.thousandths)

    @property
    def a_day_later(self) -> "Point":
        """The same batches tomorrow, unsold."""
        return replace(self, days_to_expiry=self.days_to_expiry - 1)

    @property
    def days(self) -> str:
        """The days to expiry as text."""
        return "1 day left" if self.days_to_expiry == 1 else f"{self.days_to_expiry} days left"

    def __str__(self) -> str:
        return f"a batch with {self.days} and {format_quantity(self.quantity, self.unit)} in stock"


def find_point(rule: PricingRule, *, outside: Sequence[PricingRule]) -> Point | None:
    """Returns the nearest and smallest batch that the rule matches and none of `outside` does, or None.

    A rule without a unit counts in all units; the batch is then in the first unit that has one.
    """
    points = (_find_point(rule, unit, [other for other in outside if other.counts(unit)]) for unit in Unit)
    return next((point for point in points if point is not None), None)


def _find_point(rule: PricingRule, unit: Unit, outside: Sequence[PricingRule]) -> Point | None:
    if not rule.counts(unit):
        return None
    others = sorted(outside, key=lambda other: other.quantity.min or 0)
    quantities = rule.quantity.thousandths
    # The smallest uncovered day is the rule's first, or the day after another rule's last.
    for day in sorted({_first_day(rule), *(_day_after(other) for other in others)}):
        if day not in rule.days_to_expiry:
            continue
        quantity = _first_quantity(rule, unit)
        for other in others:
            if day in other.days_to_expiry and quantity in other.quantity.thousandths:
                quantity = _quantity_after(other, unit)
        if quantity in quantities and quantity <= _MAX_THOUSANDTHS:
            return Point(day, quantity, unit)
    return None


def covers(wide: PricingRule, narrow: PricingRule) -> bool:
    """Whether `wide` matches every batch that `narrow` matches."""
    needed = narrow.quantity.thousandths
    if not needed.min:
        needed = Range(min=(narrow.unit or Unit.KG).step, max=needed.max)
    return (
        wide.unit in (None, narrow.unit)
        and wide.days_to_expiry.covers(narrow.days_to_expiry)
        and wide.quantity.thousandths.covers(needed)
    )


def overlap(one: PricingRule, other: PricingRule) -> bool:
    """Whether any batch matches both rules."""
    return (
        (one.unit is None or other.counts(one.unit))
        and one.days_to_expiry.overlaps(other.days_to_expiry)
        and one.quantity.thousandths.overlaps(other.quantity.thousandths)
    )


def horizon_of(policy: PricingPolicy, *, at_most: int) -> int:
    """Returns the most days to expiry at which a rule gives a discount; 0 without such a rule.

    Args:
        policy: the rules.
        at_most: the upper bound, for rules with a later end or none.
    """
    reductions = (rule for _, rule in policy.rules_with_paths() if rule.discount > 0)
    last_days = (rule.days_to_expiry.max for rule in reductions)
    return max((at_most if day is None else min(day, at_most) for day in last_days), default=0)


class RuleMatcher:
    """Finds the deciding rule of stock in one unit: of the scope's own, else of the fallback's."""

    def __init__(
        self, rules: Sequence[PricingRule], unit: Unit, fallback: "RuleMatcher | None" = None
    ) -> None:
        self.own = frozenset(rule.name for rule in rules)
        self._unit = unit
        self._rules = by_discount(rule for rule in rules if rule.counts(unit))
        self._fallback = fallback
        self._by_quantity: dict[int, list[tuple[int, int, PricingRule]]] = {}

    def decide(self, point: Point) -> PricingRule | None:
        """Returns the deciding rule of a batch at the point."""
        for first, last, rule in self._matching_quantity(point.thousandths):
            if first <= point.days_to_expiry <= last:
                return rule
        return self._fallback.decide(point) if self._fallback else None

    def boundaries(self) -> Iterator[Point]:
        """Yields the points just before each change of decision that the scope's own rules cause."""
        days = {_first_day(rule) for rule in self._rules} | {_day_after(rule) for rule in self._rules}
        for quantity in sorted(self.quantities()):
            for day in sorted(days - {0}):
                yield Point(day, quantity, self._unit)

    def quantities(self) -> set[int]:
        """Returns one quantity, in thousandths, of every range in which no rule begins or ends."""
        found = self._fallback.quantities() if self._fallback else {self._unit.step}
        for rule in self._rules:
            found |= {_first_quantity(rule, self._unit), _quantity_after(rule, self._unit)}
        return {quantity for quantity in found if quantity <= _MAX_THOUSANDTHS}

    def _matching_quantity(self, quantity: int) -> list[tuple[int, int, PricingRule]]:
        # A policy may have hundreds of rules and range ends, so cache by quantity.
        if quantity not in self._by_quantity:
            self._by_quantity[quantity] = [
                (_first_day(rule), _last_day(rule), rule)
                for rule in self._rules
                if quantity in rule.quantity.thousandths
            ]
        return self._by_quantity[quantity]


def _first_day(rule: PricingRule) -> int:
    return rule.days_to_expiry.min or 0


def _last_day(rule: PricingRule) -> int:
    last = rule.days_to_expiry.max
    return _NEVER if last is None else last


def _day_after(rule: PricingRule) -> int:
    last = rule.days_to_expiry.max
    # A rule without an end has no day after; its first day is a harmless duplicate.
    return _first_day(rule) if last is None else last + 1


def _first_quantity(rule: PricingRule, unit: Unit) -> int:
    steps_below = -(-(rule.quantity.thousandths.min or 0) // unit.step)
    return max(steps_below, 1) * unit.step


def _quantity_after(rule: PricingRule, unit: Unit) -> int:
    last = rule.quantity.thousandths.max
    return ((_MAX_THOUSANDTHS if last is None else last) // unit.step + 1) * unit.step

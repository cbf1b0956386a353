"""Rule coverage: the batches, by days to expiry and stock, that a rule decides and no stronger one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flexiprice.domain.policy import MAX_QUANTITY, PricingPolicy, PricingRule, by_discount
from flexiprice.domain.ranges import Range

# Days beyond any date that a batch can have.
_NEVER = 10_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """The batches with these days to expiry and units in stock."""

    days_to_expiry: int
    quantity: int

    def meets(self, rule: PricingRule) -> bool:
        """Whether the rule matches these batches."""
        return rule.matches(self.days_to_expiry, self.quantity)

    @property
    def a_day_later(self) -> "Point":
        """The same batches tomorrow, unsold."""
        return Point(self.days_to_expiry - 1, self.quantity)

    @property
    def days(self) -> str:
        """The days to expiry as text."""
        return "1 day left" if self.days_to_expiry == 1 else f"{self.days_to_expiry} days left"

    def __str__(self) -> str:
        return f"a batch with {self.days} and {self.quantity} in stock"


def find_point(rule: PricingRule, *, outside: Sequence[PricingRule]) -> Point | None:
    """Returns the nearest and smallest batch that the rule matches and none of `outside` does, or None."""
    others = sorted(outside, key=lambda other: other.quantity.min or 0)
    # The smallest uncovered day is the rule's first, or the day after another rule's last.
    for day in sorted({_first_day(rule), *(_day_after(other) for other in others)}):
        if day not in rule.days_to_expiry:
            continue
        quantity = max(rule.quantity.min or 0, 1)
        for other in others:
            if day in other.days_to_expiry and quantity in other.quantity:
                quantity = _quantity_after(other)
        if quantity in rule.quantity and quantity <= MAX_QUANTITY:
            return Point(day, quantity)
    return None


def covers(wide: PricingRule, narrow: PricingRule) -> bool:
    """Whether `wide` matches every batch that `narrow` matches."""
    needed = narrow.quantity if narrow.quantity.min else Range(min=1, max=narrow.quantity.max)
    return wide.days_to_expiry.covers(narrow.days_to_expiry) and wide.quantity.covers(needed)


def overlap(one: PricingRule, other: PricingRule) -> bool:
    """Whether any batch matches both rules."""
    return one.days_to_expiry.overlaps(other.days_to_expiry) and one.quantity.overlaps(other.quantity)


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
    """Finds the deciding rule at a point: one of the scope's own, else one of the fallback's."""

    def __init__(self, rules: Sequence[PricingRule], fallback: "RuleMatcher | None" = None) -> None:
        self.own = frozenset(rule.name for rule in rules)
        self._rules = by_discount(rules)
        self._fallback = fallback
        self._by_quantity: dict[int, list[tuple[int, int, PricingRule]]] = {}

    def decide(self, point: Point) -> PricingRule | None:
        """Returns the deciding rule of a batch at the point."""
        for first, last, rule in self._matching_quantity(point.quantity):
            if first <= point.days_to_expiry <= last:
                return rule
        return self._fallback.decide(point) if self._fallback else None

    def boundaries(self) -> Iterator[Point]:
        """Yields the points just before each change of decision that the scope's own rules cause."""
        days = {_first_day(rule) for rule in self._rules} | {_day_after(rule) for rule in self._rules}
        for quantity in sorted(self.quantities()):
            for day in sorted(days - {0}):
                yield Point(day, quantity)

    def quantities(self) -> set[int]:
        """Returns one quantity of every range within which no rule, own or fallback, begins or ends."""
        found = self._fallback.quantities() if self._fallback else {1}
        for rule in self._rules:
            found |= {max(rule.quantity.min or 0, 1), _quantity_after(rule)}
        return {quantity for quantity in found if quantity <= MAX_QUANTITY}

    def _matching_quantity(self, quantity: int) -> list[tuple[int, int, PricingRule]]:
        # A policy may have hundreds of rules and range ends, so cache by quantity.
        if quantity not in self._by_quantity:
            self._by_quantity[quantity] = [
                (_first_day(rule), _last_day(rule), rule) for rule in self._rules if quantity in rule.quantity
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


def _quantity_after(rule: PricingRule) -> int:
    return (MAX_QUANTITY if rule.quantity.max is None else rule.quantity.max) + 1

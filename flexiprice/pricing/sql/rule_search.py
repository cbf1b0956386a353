"""The order in which SQL tests the rules of a scope: a few comparisons find the deciding one.

A binary search over the days to expiry, whose leaves test units, quantities and remaining days in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flexiprice.domain.quantity import Unit
from flexiprice.domain.ranges import IN_STOCK, Range
from flexiprice.pricing.sql.values import RATE_PARTS


@dataclass(frozen=True, slots=True)
class CodedRule:
    """A rule with its code.

    Attributes:
        code: its number in the policy, from 1, × 10,000 + its rate after `max_discount`.
        name: explains a price to people.
        own_rate: its rate before `max_discount`, in ten-thousandths.
        days_to_expiry: the days that it matches.
        quantity: the stock that it matches, in thousandths.
        unit: matches products in this unit only; None matches all.
    """

    code: int
    name: str
    own_rate: int
    days_to_expiry: Range
    quantity: Range
    unit: Unit | None

    @property
    def is_capped(self) -> bool:
        """Whether `max_discount` is below the rule's own rate."""
        return self.own_rate > self.code % RATE_PARTS


@dataclass(frozen=True, slots=True)
class RuleTest:
    """The comparisons that a rule still needs; an open end of a range needs none."""

    code: int
    days_to_expiry: Range
    quantity: Range
    unit: Unit | None


@dataclass(frozen=True, slots=True)
class Split:
    """Two searches: `before` for fewer days to expiry than `day`, `after` for the others."""

    day: int
    before: "Search"
    after: "Search"


Search = Split | tuple[RuleTest, ...]


@dataclass(frozen=True, slots=True)
class RuleSearch:
    """The search for the deciding rule of a scope.

    Attributes:
        last_day: no rule matches batches with more days to expiry; None without such a bound.
        search: the search among the other batches.
    """

    last_day: int | None
    search: Search

    @classmethod
    def among(cls, rules: Sequence[CodedRule]) -> "RuleSearch":
        """Builds the search.

        Args:
            rules: the rules of a scope by precedence.
        """
        ends = [rule.days_to_expiry.max for rule in rules]
        bounds = [end for end in ends if end is not None]
        if not bounds or None in ends:
            return cls(None, _search(Range(min=0), rules))
        # Most batches have more days to expiry than any rule covers: one comparison excludes them.
        return cls(max(bounds), _search(Range(min=0, max=max(bounds)), rules))


def _search(within: Range, rules: Sequence[CodedRule]) -> Search:
    candidates = _candidates(within, rules)
    day = _best_split(within, candidates)
    if day is None:
        return tuple(
            RuleTest(
                rule.code,
                _unknown(rule.days_to_expiry, within),
                _unknown(rule.quantity, IN_STOCK),
                rule.unit,
            )
            for rule in candidates
        )
    before, after = _halves(within, day)
    return Split(day, _search(before, candidates), _search(after, candidates))


def _candidates(within: Range, rules: Sequence[CodedRule]) -> list[CodedRule]:
    """The rules that may decide within these days, in order, up to the first that always matches."""
    found: list[CodedRule] = []
    for rule in rules:
        if rule.days_to_expiry.overlaps(within):
            found.append(rule)
            matches_all = rule.unit is None and rule.quantity.covers(IN_STOCK)
            if matches_all and rule.days_to_expiry.covers(within):
                break
    return found


def _best_split(within: Range, rules: Sequence[CodedRule]) -> int | None:
    """The day that best halves the rules; None if no split pays."""
    days = {rule.days_to_expiry.min or 0 for rule in rules}
    days |= {last + 1 for rule in rules if (last := rule.days_to_expiry.max) is not None}
    best = None
    # A split must remove a third of the rules from both sides; otherwise it only lengthens the statement.
    fewest = len(rules) * 2 // 3
    for day in sorted(day for day in days if day > (within.min or 0) and day in within):
        longest = max(len(_candidates(half, rules)) for half in _halves(within, day))
        if longest <= fewest:
            best, fewest = day, longest - 1
    return best


def _halves(within: Range, day: int) -> tuple[Range, Range]:
    return Range(min=within.min, max=day - 1), Range(min=day, max=within.max)


def _unknown(bounds: Range, known: Range) -> Range:
    """The ends of a range that a number within `known` may be beyond."""
    may_be_below = bounds.min is not None and bounds.min > (known.min or 0)
    may_be_above = bounds.max is not None and (known.max is None or bounds.max < known.max)
    return Range(min=bounds.min if may_be_below else None, max=bounds.max if may_be_above else None)

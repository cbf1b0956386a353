"""The rules of a policy compiled to SQL, which finds the deciding rule of a row in a few comparisons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    case,
    cast,
    collate,
    func,
    null,
    true,
)

from flexiprice.domain.policy import PricingPolicy, PricingRule
from flexiprice.domain.ranges import IN_STOCK, Range
from flexiprice.pricing.sql.values import RATE_PARTS, number, rate_parts

NO_SCOPE = 0


@dataclass(frozen=True, slots=True)
class CodedRule:
    """A rule with its code: its number in the policy, from 1, × 10,000 + its rate after `max_discount`."""

    code: int
    rule: PricingRule


def text_literal(text: str) -> ColumnElement[str]:
    """A text literal, quoted by SQLAlchemy, compared byte by byte."""
    return collate(bindparam(None, text, String, literal_execute=True), "C")


def scope_of(policy: PricingPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The number of the category's scope; `NO_SCOPE` if the category has no rules of its own."""
    scopes = {key: number(scope) for key, scope in _scope_numbers(policy).items()}
    return func.coalesce(_choose_by_text(category_key, sorted(scopes.items())), number(NO_SCOPE))


def floor_fraction_of(policy: PricingPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The floor of a category, in ten-thousandths of the base price."""
    own = {
        key: number(rate_parts(scope.floor_fraction))
        for key, scope in policy.categories.items()
        if scope.floor_fraction is not None
    }
    default = number(rate_parts(policy.floor_fraction))
    return func.coalesce(_choose_by_text(category_key, sorted(own.items())), default)


def matched_rule(
    policy: PricingPolicy,
    scope: ColumnElement[int],
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[int],
) -> ColumnElement[int | None]:
    """The code of the deciding rule: its number × 10,000 + its rate after `max_discount`; NULL without one.

    One integer has both, so that the rules are searched once.
    """
    of_scope: dict[int, list[CodedRule]] = {NO_SCOPE: []}
    scopes = _scope_numbers(policy)
    for key, coded in _coded(policy):
        of_scope.setdefault(NO_SCOPE if key is None else scopes[key], []).append(coded)
    first_match = {
        scope_number: _first_match(_by_discount(rules), days_to_expiry, quantity)
        for scope_number, rules in of_scope.items()
    }
    default = first_match.pop(NO_SCOPE)
    own = _choose_by_number(scope, list(first_match.items()))
    return func.coalesce(own, default)


def rule_name(policy: PricingPolicy, matched: ColumnElement[int | None]) -> ColumnElement[str | None]:
    """The name of the rule with a code of `matched_rule`."""
    return _choose_by_number(
        matched, [(coded.code, text_literal(coded.rule.name)) for _, coded in _coded(policy)]
    )


def uncapped_rate(policy: PricingPolicy, matched: ColumnElement[int | None]) -> ColumnElement[int | None]:
    """The rule's own rate, in ten-thousandths, if `max_discount` caps it; else NULL."""
    return _choose_by_number(
        matched,
        [
            (coded.code, number(rate_parts(coded.rule.discount)))
            for _, coded in _coded(policy)
            if coded.rule.discount > policy.max_discount
        ],
    )


def _scope_numbers(policy: PricingPolicy) -> dict[str, int]:
    with_rules = [key for key, scope in policy.categories.items() if scope.rules]
    return {key: scope for scope, key in enumerate(with_rules, start=NO_SCOPE + 1)}


def _coded(policy: PricingPolicy) -> Iterator[tuple[str | None, CodedRule]]:
    scopes: list[tuple[str | None, tuple[PricingRule, ...]]] = [(None, policy.rules)]
    scopes += [(key, scope.rules) for key, scope in policy.categories.items()]
    with_scopes = ((key, rule) for key, rules in scopes for rule in rules)
    for rule_number, (key, rule) in enumerate(with_scopes, start=1):
        rate = rate_parts(min(rule.discount, policy.max_discount))
        yield key, CodedRule(rule_number * RATE_PARTS + rate, rule)


def _by_discount(rules: Sequence[CodedRule]) -> list[CodedRule]:
    return sorted(rules, key=lambda coded: -coded.rule.discount)


def _first_match(
    rules: Sequence[CodedRule], days_to_expiry: ColumnElement[int], quantity: ColumnElement[int]
) -> ColumnElement[int | None]:
    """The code of the first rule that matches, or NULL.

    A binary search over the days: ranges are split while that shortens the lists of rules.
    """

    def search(within: Range) -> ColumnElement[int | None]:
        candidates = _candidates(within, rules)
        split = _best_split(within, candidates)
        if split is None:
            return _test_in_order(within, candidates, days_to_expiry, quantity)
        before, after = _halves(within, split)
        return case((days_to_expiry < number(split), search(before)), else_=search(after))

    ends = [coded.rule.days_to_expiry.max for coded in rules]
    last = max((end for end in ends if end is not None), default=0)
    if not rules or None in ends:
        return search(Range(min=0))
    # Most batches have more days to expiry than any rule covers: one comparison excludes them.
    return case((days_to_expiry <= number(last), search(Range(min=0, max=last))))


def _candidates(within: Range, rules: Sequence[CodedRule]) -> list[CodedRule]:
    """The rules that may decide within these days, in order, up to the first that always matches."""
    found: list[CodedRule] = []
    for coded in rules:
        days = coded.rule.days_to_expiry
        if days.overlaps(within):
            found.append(coded)
            if days.covers(within) and coded.rule.quantity.covers(IN_STOCK):
                break
    return found


def _test_in_order(
    within: Range,
    rules: Sequence[CodedRule],
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[int],
) -> ColumnElement[int | None]:
    if not rules:
        return cast(null(), Integer)
    conditions = [
        (
            and_(
                true(),
                *_bounds(days_to_expiry, coded.rule.days_to_expiry, known=within),
                *_bounds(quantity, coded.rule.quantity, known=IN_STOCK),
            ),
            number(coded.code),
        )
        for coded in rules
    ]
    return case(*conditions)


def _bounds(column: ColumnElement[int], bounds: Range, *, known: Range) -> Iterator[ColumnElement[bool]]:
    if bounds.min is not None and bounds.min > (known.min or 0):
        yield column >= number(bounds.min)
    if bounds.max is not None and (known.max is None or bounds.max < known.max):
        yield column <= number(bounds.max)


def _best_split(within: Range, rules: Sequence[CodedRule]) -> int | None:
    """The day that best halves the rules; None if no split pays."""
    days = {coded.rule.days_to_expiry.min or 0 for coded in rules}
    days |= {last + 1 for coded in rules if (last := coded.rule.days_to_expiry.max) is not None}
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


def _choose_by_text(
    selector: ColumnElement[str], branches: Sequence[tuple[str, ColumnElement[int]]]
) -> ColumnElement[Any]:
    return _choose(selector, [(text_literal(key), value) for key, value in branches])


def _choose_by_number(
    selector: ColumnElement[Any], branches: Sequence[tuple[int, ColumnElement[Any]]]
) -> ColumnElement[Any]:
    return _choose(selector, [(number(key), value) for key, value in branches])


def _choose(
    selector: ColumnElement[Any], branches: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]]
) -> ColumnElement[Any]:
    """The value whose key equals the selector, or NULL; keys must ascend.

    A binary tree of comparisons: hundreds of categories cost nine comparisons.
    """
    if not branches:
        return null()
    if len(branches) <= 3:
        return case(*((selector == key, value) for key, value in branches))
    middle = len(branches) // 2
    return case(
        (selector < branches[middle][0], _choose(selector, branches[:middle])),
        else_=_choose(selector, branches[middle:]),
    )

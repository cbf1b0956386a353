"""The SQL of a policy's rules, which finds the deciding rule of a row in a few comparisons."""

from collections.abc import Iterator, Sequence
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

from flexiprice.domain.ranges import Range
from flexiprice.pricing.sql.compiled_policy import NO_SCOPE, CompiledPolicy
from flexiprice.pricing.sql.rule_search import RuleSearch, RuleTest, Search, Split
from flexiprice.pricing.sql.values import enum_literal, int_literal


def text_literal(text: str) -> ColumnElement[str]:
    """A text literal, quoted by SQLAlchemy, compared byte by byte."""
    return collate(bindparam(None, text, String, literal_execute=True), "C")


def scope_of(policy: CompiledPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The number of the category's scope; `NO_SCOPE` if the category has no rules of its own."""
    return func.coalesce(_choose_by_text(category_key, policy.scopes), int_literal(NO_SCOPE))


def floor_fraction_of(policy: CompiledPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The floor of a category, in ten-thousandths of the base price."""
    own = _choose_by_text(category_key, policy.floor_fractions)
    return func.coalesce(own, int_literal(policy.floor_fraction))


def matched_rule(
    policy: CompiledPolicy,
    scope: ColumnElement[int],
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[Any],
    unit: ColumnElement[Any],
) -> ColumnElement[int | None]:
    """The code of the deciding rule: its number × 10,000 + its rate after `max_discount`; NULL without one.

    One integer has both, so that the rules are searched once.
    """
    default, *own = (_first_match(search, days_to_expiry, quantity, unit) for search in policy.searches)
    return func.coalesce(_choose_by_number(scope, list(enumerate(own, start=NO_SCOPE + 1))), default)


def rule_name(policy: CompiledPolicy, matched: ColumnElement[int | None]) -> ColumnElement[str | None]:
    """The name of the rule with a code of `matched_rule`."""
    return _choose_by_number(matched, [(rule.code, text_literal(rule.name)) for rule in policy.rules])


def uncapped_rate(policy: CompiledPolicy, matched: ColumnElement[int | None]) -> ColumnElement[int | None]:
    """The rule's own rate, in ten-thousandths, if `max_discount` caps it; else NULL."""
    capped = [(rule.code, int_literal(rule.own_rate)) for rule in policy.rules if rule.is_capped]
    return _choose_by_number(matched, capped)


def _first_match(
    found: RuleSearch,
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[Any],
    unit: ColumnElement[Any],
) -> ColumnElement[int | None]:
    """The code of the first rule that matches, or NULL."""

    def render(search: Search) -> ColumnElement[int | None]:
        if isinstance(search, Split):
            is_before = days_to_expiry < int_literal(search.day)
            return case((is_before, render(search.before)), else_=render(search.after))
        if not search:
            return cast(null(), Integer)
        return case(*((matches(test), int_literal(test.code)) for test in search))

    def matches(test: RuleTest) -> ColumnElement[bool]:
        days, stock = _within(days_to_expiry, test.days_to_expiry), _within(quantity, test.quantity)
        units = [] if test.unit is None else [unit == enum_literal(test.unit)]
        return and_(true(), *units, *days, *stock)

    if found.last_day is None:
        return render(found.search)
    return case((days_to_expiry <= int_literal(found.last_day), render(found.search)))


def _within(column: ColumnElement[int], bounds: Range) -> Iterator[ColumnElement[bool]]:
    if bounds.min is not None:
        yield column >= int_literal(bounds.min)
    if bounds.max is not None:
        yield column <= int_literal(bounds.max)


def _choose_by_text(selector: ColumnElement[str], branches: Sequence[tuple[str, int]]) -> ColumnElement[Any]:
    return _choose(selector, [(text_literal(key), int_literal(value)) for key, value in branches])


def _choose_by_number(
    selector: ColumnElement[Any], branches: Sequence[tuple[int, ColumnElement[Any]]]
) -> ColumnElement[Any]:
    return _choose(selector, [(int_literal(key), value) for key, value in branches])


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

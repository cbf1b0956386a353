"""The rules of a policy as SQL: which one decides for a row, found in a few comparisons."""

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

from flexiprice.db.cents import RATE_PARTS, number, rate_parts
from flexiprice.domain.policy import PricingPolicy, PricingRule, first_largest

NO_SCOPE = 0


@dataclass(frozen=True, slots=True)
class NumberedRule:
    """A rule with its number in the policy, from 1."""

    number: int
    rule: PricingRule


def words(text: str) -> ColumnElement[str]:
    """A text as a constant of the statement, quoted by SQLAlchemy, compared byte by byte."""
    return collate(bindparam(None, text, String, literal_execute=True), "C")


def scope_of(policy: PricingPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The number of the category's own scope; `NO_SCOPE` where the category has no rules of its own."""
    scopes = {key: number(scope) for key, scope in _scope_numbers(policy).items()}
    return func.coalesce(_choose_words(category_key, sorted(scopes.items())), number(NO_SCOPE))


def floor_fraction_of(policy: PricingPolicy, category_key: ColumnElement[str]) -> ColumnElement[int]:
    """The floor of a category, in ten-thousandths of the base price."""
    own = {
        key: number(rate_parts(scope.floor_fraction))
        for key, scope in policy.categories.items()
        if scope.floor_fraction is not None
    }
    default = number(rate_parts(policy.floor_fraction))
    return func.coalesce(_choose_words(category_key, sorted(own.items())), default)


def matched_rule(
    policy: PricingPolicy,
    scope: ColumnElement[int],
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[int],
) -> ColumnElement[int | None]:
    """The rule that decides, as one integer: its number × 10,000 + its rate after `max_discount`.

    NULL where no rule matches. One integer carries both, so that the rules are gone through once.
    """
    of_scope: dict[int, list[NumberedRule]] = {NO_SCOPE: []}
    scopes = _scope_numbers(policy)
    for key, numbered in _numbered(policy):
        of_scope.setdefault(scopes[key] if key is not None else NO_SCOPE, []).append(numbered)
    default = _first_match(policy, of_scope.pop(NO_SCOPE), days_to_expiry, quantity)
    own = [
        (number_, _first_match(policy, rules, days_to_expiry, quantity))
        for number_, rules in of_scope.items()
    ]
    return func.coalesce(_choose_number(scope, own), default) if own else default


def rule_name(policy: PricingPolicy, matched: ColumnElement[int | None]) -> ColumnElement[str | None]:
    """The name of what `matched_rule` found."""
    return _choose_number(
        matched, [(_code(policy, numbered), words(numbered.rule.name)) for _, numbered in _numbered(policy)]
    )


def uncapped_rate(policy: PricingPolicy, matched: ColumnElement[int | None]) -> ColumnElement[int | None]:
    """The rate that a rule asks for, in ten-thousandths, where `max_discount` cuts it; NULL elsewhere."""
    return _choose_number(
        matched,
        [
            (_code(policy, numbered), number(rate_parts(numbered.rule.discount)))
            for _, numbered in _numbered(policy)
            if numbered.rule.discount > policy.max_discount
        ],
    )


def _scope_numbers(policy: PricingPolicy) -> dict[str, int]:
    with_rules = [key for key, scope in policy.categories.items() if scope.rules]
    return {key: scope for scope, key in enumerate(with_rules, start=NO_SCOPE + 1)}


def _numbered(policy: PricingPolicy) -> Iterator[tuple[str | None, NumberedRule]]:
    scopes: list[tuple[str | None, tuple[PricingRule, ...]]] = [(None, policy.rules)]
    scopes += [(key, scope.rules) for key, scope in policy.categories.items()]
    following = 1
    for key, rules in scopes:
        for rule in rules:
            yield key, NumberedRule(following, rule)
            following += 1


def _code(policy: PricingPolicy, numbered: NumberedRule) -> int:
    return numbered.number * RATE_PARTS + rate_parts(min(numbered.rule.discount, policy.max_discount))


def _first_match(
    policy: PricingPolicy,
    rules: Sequence[NumberedRule],
    days_to_expiry: ColumnElement[int],
    quantity: ColumnElement[int],
) -> ColumnElement[int | None]:
    if not rules:
        return cast(null(), Integer)
    by_rule = {id(numbered.rule): numbered for numbered in rules}
    in_order = [by_rule[id(rule)] for rule in first_largest(tuple(numbered.rule for numbered in rules))]
    found = case(
        *(
            (_is_for(numbered.rule, days_to_expiry, quantity), number(_code(policy, numbered)))
            for numbered in in_order
        )
    )
    ends = [numbered.rule.days_to_expiry.max for numbered in rules]
    if None in ends:
        return found
    # Most batches are further from their expiry than any rule reaches: one comparison tells.
    return case((days_to_expiry <= number(max(end for end in ends if end is not None)), found))


def _is_for(
    rule: PricingRule, days_to_expiry: ColumnElement[int], quantity: ColumnElement[int]
) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    for column, bounds in ((days_to_expiry, rule.days_to_expiry), (quantity, rule.quantity)):
        # What is asked for a rule has at least 0 days and 1 unit; 0 needs no comparison.
        if bounds.min:
            conditions.append(column >= number(bounds.min))
        if bounds.max is not None:
            conditions.append(column <= number(bounds.max))
    return and_(true(), *conditions)


def _choose_words(
    selector: ColumnElement[str], branches: Sequence[tuple[str, ColumnElement[int]]]
) -> ColumnElement[Any]:
    return _choose(selector, [(words(key), value) for key, value in branches])


def _choose_number(
    selector: ColumnElement[Any], branches: Sequence[tuple[int, ColumnElement[Any]]]
) -> ColumnElement[Any]:
    return _choose(selector, [(number(key), value) for key, value in branches])


def _choose(
    selector: ColumnElement[Any], branches: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]]
) -> ColumnElement[Any]:
    """The value whose key equals the selector, or NULL; the keys ascend.

    A tree of comparisons, so that a policy of hundreds of categories costs nine of them, not hundreds.
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

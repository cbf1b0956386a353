"""The SQL of a policy's decision, for a row with a batch's rule, floors and open price."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, null
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from flexiprice.domain.quote import Limit
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.rules import uncapped_rate
from flexiprice.pricing.sql.values import RATE_PARTS, int_literal, quotient

Columns = ReadOnlyColumnCollection[str, Any]

# A decision is NULL (no discount), this (the new price), or the mask of the limits that hold the open price.
USE_NEW_PRICE = 0
# The value of the column `matched` for expired or sold out batches.
NOT_FOR_SALE = -1


def new_price(policy: CompiledPolicy, columns: Columns) -> ColumnElement[int]:
    """The price of the matched rule in cents, at least the floor; NULL without a rule."""
    exact = _exact_price(columns.base_cents, _rate(columns))
    # Without a rule, GREATEST would ignore the NULL and return the floor.
    return case(
        (columns.matched > int_literal(0), func.greatest(_discounted(policy, exact), columns.floor_cents))
    )


def decide(policy: CompiledPolicy, columns: Columns) -> ColumnElement[int | None]:
    """`USE_NEW_PRICE`, the mask of limits that hold the open price, or NULL without a discount."""
    holdable = and_(
        columns.inputs_unchanged,
        columns.current_cents >= columns.floor_cents,
        columns.current_cents < columns.base_cents,
    )
    no_rule = case((holdable, int_literal(Limit.HELD.bit))) if policy.price_only_down else null()
    min_change = int_literal(policy.min_change)
    reasons = limit_if(func.abs(columns.new_cents - columns.current_cents) < min_change, Limit.MIN_CHANGE)
    if policy.price_only_down:
        reasons += limit_if(columns.new_cents > columns.current_cents, Limit.HELD)
    opens = columns.base_cents - columns.new_cents >= min_change
    # Ordered so that most rows need few comparisons.
    return case(
        (columns.matched.is_(None), no_rule),
        (
            columns.current_cents == columns.new_cents,
            case((columns.new_cents < columns.base_cents, int_literal(USE_NEW_PRICE))),
        ),
        (columns.matched == int_literal(NOT_FOR_SALE), null()),
        (columns.new_cents >= columns.base_cents, null()),
        (columns.current_cents.is_(None), case((opens, int_literal(USE_NEW_PRICE)))),
        (and_(holdable, reasons != int_literal(0)), reasons),
        else_=int_literal(USE_NEW_PRICE),
    )


def own_limits(policy: CompiledPolicy, columns: Columns) -> ColumnElement[int]:
    """The mask of limits on the new price."""
    exact = _exact_price(columns.base_cents, _rate(columns))
    # Equivalent to: the rounded price is below the floor. The floor is a multiple of the step.
    below_floor = columns.floor_cents * int_literal(RATE_PARTS) > exact + int_literal(policy.step_parts // 2)
    mask = case((below_floor, columns.floor_limits), else_=int_literal(0)) + limit_if(
        columns.new_cents * int_literal(RATE_PARTS) != func.greatest(exact, columns.exact_floor),
        Limit.ROUNDING,
    )
    if not any(rule.is_capped for rule in policy.rules):
        return mask
    uncapped = _discounted(policy, _exact_price(columns.base_cents, uncapped_rate(policy, columns.matched)))
    is_capped = and_(
        _rate(columns) == int_literal(policy.max_rate),
        func.greatest(uncapped, columns.floor_cents) != columns.new_cents,
        uncapped.is_not(None),
    )
    return mask + limit_if(is_capped, Limit.MAX_DISCOUNT)


def limit_if(condition: ColumnElement[bool], limit: Limit) -> ColumnElement[int]:
    """The limit's bit if the condition holds, else 0."""
    return case((condition, int_literal(limit.bit)), else_=int_literal(0))


def _exact_price(base_cents: ColumnElement[int], rate: ColumnElement[Any]) -> ColumnElement[int]:
    """The unrounded price in ten-thousandths of a cent."""
    return base_cents * (int_literal(RATE_PARTS) - rate)


def _discounted(policy: CompiledPolicy, exact: ColumnElement[int]) -> ColumnElement[int]:
    rounded = quotient(exact + int_literal(policy.step_parts // 2), int_literal(policy.step_parts))
    return rounded * int_literal(policy.step)


def _rate(columns: Columns) -> ColumnElement[int]:
    return func.mod(columns.matched, int_literal(RATE_PARTS))

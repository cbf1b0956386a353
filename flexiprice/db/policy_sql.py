"""A `PricingPolicy` compiled to SQL that agrees with `domain.quote` row for row.

All arithmetic is on whole cents and ten-thousandths in BIGINT, so it is exact without NUMERIC's cost;
the largest intermediate, a cost floor before its division, stays near 1.0e18. What depends on the
product alone is computed once a product, before the join with batches. Every constant is rendered
into the statement, because `CREATE TABLE … AS`, the form that may use parallel workers, takes no
parameters. Each level of subquery is fenced by `OFFSET 0`: it keeps PostgreSQL from evaluating an
expression again wherever its name is used and, unlike a materialised CTE, allows parallel plans.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    SmallInteger,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from flexiprice.db.cents import RATE_PARTS, cents, cents_of, number, price_of, quotient, rate_of, rate_parts
from flexiprice.db.policy_sql_rules import floor_fraction_of, matched_rule, rule_name, scope_of, uncapped_rate
from flexiprice.domain.limits import Limit
from flexiprice.domain.policy import PricingPolicy

Columns = ReadOnlyColumnCollection[str, Any]

# A verdict is NULL (no discount), this (the new price), or the mask of what keeps the open price.
_TAKE_NEW = 0


def select_quotes(policy: PricingPolicy, candidates: FromClause) -> Select[tuple[object, ...]]:
    """Quotes every row of `candidates`: what `domain.quote` is for one batch.

    Args:
        policy: the policy; without a version it holds no open price.
        candidates: has the columns `category_key`, `base_price`, `unit_cost`, `quantity`,
            `expiry_date`, `day` (the store's date), and of the open discount, all NULL where there is
            none, `current_price`, `current_base_price`, `current_unit_cost`, `current_expiry_date`
            and `current_policy_version`.

    Returns:
        All columns of `candidates`, then `price`, `rate`, `rule` and `limits` (a mask), all NULL where
        the batch has no discount.
    """
    source = candidates.c
    days = (source.expiry_date - source.day).label("days_to_expiry")
    quoted = quote_terms(policy, product_terms(policy, fenced(select(*source, days)))).c
    return select(
        *(quoted[column.key] for column in source),
        price_of(quoted.price_cents).label("price"),
        rate_of(quoted.price_cents, quoted.base_cents).label("rate"),
        quoted.rule,
        quoted.limits,
    )


def fenced(statement: Select[tuple[object, ...]]) -> Subquery:
    """The statement as a subquery that PostgreSQL does not merge into what surrounds it."""
    return statement.offset(literal_column("0")).subquery()


def product_terms(policy: PricingPolicy, products: FromClause) -> Subquery:
    """Adds to products what their quotes share: once a product, before any join with batches.

    Args:
        policy: the policy.
        products: has the columns `category_key`, `base_price` and `unit_cost`.

    Returns:
        All columns of `products`, then `scope`, `base_cents`, `floor_cents` (rounded up to the step),
        `exact_floor` (before rounding, in ten-thousandths of a cent) and `floor_limits` (a mask of
        which of the two floors bind).
    """
    given = products.c
    cost = cents_of(given.unit_cost) if policy.min_margin_over_cost is not None else cast(null(), BigInteger)
    whole = fenced(
        select(
            *given,
            scope_of(policy, given.category_key).label("scope"),
            cents_of(given.base_price).label("base_cents"),
            floor_fraction_of(policy, given.category_key).label("floor_fraction"),
            cost.label("cost_cents"),
        )
    ).c
    own = [whole[column.key] for column in given]
    margin = policy.min_margin_over_cost or Decimal(0)
    exact = fenced(
        select(
            *own,
            whole.scope,
            whole.base_cents,
            (whole.base_cents * whole.floor_fraction).label("exact_fraction"),
            (whole.cost_cents * number(RATE_PARTS + rate_parts(margin))).label("exact_cost"),
        )
    ).c
    rounded = fenced(
        select(
            *(exact[column.key] for column in own),
            exact.scope,
            exact.base_cents,
            # GREATEST passes over NULL, the cost floor of a product without a cost.
            func.greatest(exact.exact_fraction, exact.exact_cost).label("exact_floor"),
            func.greatest(
                _rounded_up(exact.exact_fraction, policy), number(cents(policy.rounding_step))
            ).label("fraction_floor"),
            _rounded_up(exact.exact_cost, policy).label("cost_floor"),
        )
    ).c
    floor = func.greatest(rounded.fraction_floor, rounded.cost_floor)
    return fenced(
        select(
            *(rounded[column.key] for column in own),
            rounded.scope,
            rounded.base_cents,
            floor.label("floor_cents"),
            rounded.exact_floor,
            (
                _if(rounded.fraction_floor == floor, Limit.FLOOR)
                + _if(rounded.cost_floor == floor, Limit.MARGIN)
            ).label("floor_limits"),
        )
    )


def quote_terms(policy: PricingPolicy, batches: FromClause) -> Subquery:
    """Adds to batches their quotes, in cents.

    Args:
        policy: the policy.
        batches: has all that `product_terms` gives, `quantity`, `expiry_date`, `days_to_expiry`, and the
            five `current_…` columns of `select_quotes`.

    Returns:
        All columns of `batches`, then `current_cents` (the open price), `price_cents`, `rule` and
        `limits`; the last three are NULL where there is no discount (`rule` also where a price is
        held that no rule asks for any more).
    """
    given = batches.c
    found = fenced(
        select(
            *given,
            matched_rule(policy, given.scope, given.days_to_expiry, given.quantity).label("matched"),
            cents_of(given.current_price).label("current_cents"),
        )
    ).c
    priced = fenced(select(*found, _new_price(policy, found).label("new_cents"))).c
    decided = fenced(select(*priced, _verdict(policy, priced).label("verdict"))).c
    is_new = decided.verdict == number(_TAKE_NEW)
    return fenced(
        select(
            *(decided[column.key] for column in given),
            decided.current_cents,
            case((is_new, decided.new_cents), (decided.verdict.is_not(None), decided.current_cents)).label(
                "price_cents"
            ),
            case((decided.verdict.is_not(None), rule_name(policy, decided.matched))).label("rule"),
            cast(case((is_new, _limits(policy, decided)), else_=decided.verdict), SmallInteger).label(
                "limits"
            ),
        )
    )


def _if(condition: ColumnElement[bool], limit: Limit) -> ColumnElement[int]:
    return case((condition, number(limit.bit)), else_=number(0))


def _rounded_up(exact: ColumnElement[int], policy: PricingPolicy) -> ColumnElement[int]:
    step = cents(policy.rounding_step)
    unit = step * RATE_PARTS
    return quotient(exact + number(unit - 1), number(unit)) * number(step)


def _exact_price(base_cents: ColumnElement[int], rate: ColumnElement[Any]) -> ColumnElement[int]:
    """In ten-thousandths of a cent."""
    return base_cents * (number(RATE_PARTS) - rate)


def _discounted(policy: PricingPolicy, exact: ColumnElement[int]) -> ColumnElement[int]:
    step = cents(policy.rounding_step)
    unit = step * RATE_PARTS
    return quotient(exact + number(unit // 2), number(unit)) * number(step)


def _rate(columns: Columns) -> ColumnElement[int]:
    rate: ColumnElement[int] = columns.matched % number(RATE_PARTS)
    return rate


def _new_price(policy: PricingPolicy, columns: Columns) -> ColumnElement[int]:
    exact = _exact_price(columns.base_cents, _rate(columns))
    # Without a rule GREATEST would pass over the NULL and give the floor.
    return case(
        (columns.matched.is_not(None), func.greatest(_discounted(policy, exact), columns.floor_cents))
    )


def _verdict(policy: PricingPolicy, columns: Columns) -> ColumnElement[int | None]:
    holdable = _may_be_held(policy, columns)
    no_rule = case((holdable, number(Limit.HELD.bit))) if policy.price_only_down else null()
    reasons = _if(
        func.abs(columns.new_cents - columns.current_cents) < number(cents(policy.min_change)),
        Limit.MIN_CHANGE,
    )
    if policy.price_only_down:
        reasons += _if(columns.new_cents > columns.current_cents, Limit.HELD)
    opens = columns.base_cents - columns.new_cents >= number(cents(policy.min_change))
    # In this order, so that most rows are done after a few comparisons, and prices are compared as
    # NUMERIC only for those whose price would move.
    return case(
        (or_(columns.days_to_expiry < number(0), columns.quantity == number(0)), null()),
        (columns.matched.is_(None), no_rule),
        (columns.new_cents >= columns.base_cents, null()),
        (columns.current_cents.is_(None), case((opens, number(_TAKE_NEW)))),
        (columns.current_cents == columns.new_cents, number(_TAKE_NEW)),
        (and_(reasons != number(0), holdable), reasons),
        else_=number(_TAKE_NEW),
    )


def _may_be_held(policy: PricingPolicy, columns: Columns) -> ColumnElement[bool]:
    if policy.version is None:
        return false()
    return and_(
        columns.current_cents >= columns.floor_cents,
        columns.current_cents < columns.base_cents,
        columns.current_policy_version == number(policy.version),
        columns.current_expiry_date == columns.expiry_date,
        columns.current_base_price == columns.base_price,
        columns.current_unit_cost.is_not_distinct_from(columns.unit_cost),
    )


def _limits(policy: PricingPolicy, columns: Columns) -> ColumnElement[int]:
    exact = _exact_price(columns.base_cents, _rate(columns))
    half_step = cents(policy.rounding_step) * RATE_PARTS // 2
    # The rounded price is below the floor exactly where this holds, the floor being whole steps.
    below_floor = columns.floor_cents * number(RATE_PARTS) > exact + number(half_step)
    mask = case((below_floor, columns.floor_limits), else_=number(0)) + _if(
        columns.new_cents * number(RATE_PARTS) != func.greatest(exact, columns.exact_floor), Limit.ROUNDING
    )
    if all(rule.discount <= policy.max_discount for _, rule in policy.placed_rules()):
        return mask
    uncapped = _discounted(policy, _exact_price(columns.base_cents, uncapped_rate(policy, columns.matched)))
    is_capped = and_(
        _rate(columns) == number(rate_parts(policy.max_discount)),
        func.greatest(uncapped, columns.floor_cents) != columns.new_cents,
        uncapped.is_not(None),
    )
    return mask + _if(is_capped, Limit.MAX_DISCOUNT)

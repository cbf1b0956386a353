"""A policy compiled to SQL that agrees with `domain.quote` row for row.

All arithmetic is on whole cents and ten-thousandths in BIGINT, so it is exact without the cost of NUMERIC.
The largest intermediate value, a cost floor before its division, is near 1.0e18. Terms of the product alone
are computed once a product, before the join with batches. Constants of the policy are rendered into the
statement, so that the planner can fold them. Each level of subquery has an optimisation barrier (`OFFSET 0`):
it keeps PostgreSQL from evaluating an expression at each use of its name and, unlike a materialised CTE,
allows parallel plans.
"""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Label,
    Select,
    SmallInteger,
    Subquery,
    and_,
    case,
    cast,
    func,
    null,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from flexiprice.db.statements import optimization_barrier
from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.quote import Limit
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.decision import (
    NOT_FOR_SALE,
    USE_NEW_PRICE,
    decide,
    limit_if,
    new_price,
    own_limits,
)
from flexiprice.pricing.sql.rules import floor_fraction_of, matched_rule, rule_name, scope_of
from flexiprice.pricing.sql.values import (
    RATE_PARTS,
    cents_of,
    date_literal,
    int_literal,
    price_of,
    quotient,
    rate_of,
)

Columns = ReadOnlyColumnCollection[str, Any]


@dataclass(frozen=True, slots=True)
class CurrentColumns:
    """The columns of the open discount; all NULL without one."""

    price: ColumnElement[Any]
    base_price: ColumnElement[Any]
    unit_cost: ColumnElement[Any]
    expiry_date: ColumnElement[Any]
    policy_version: ColumnElement[Any]


def select_quotes(policy: CompiledPolicy, candidates: FromClause) -> Select[tuple[object, ...]]:
    """Quotes every row of `candidates`, as `domain.quote` does for one batch.

    Args:
        policy: the policy; without a version it holds no open price.
        candidates: has the columns `category_key`, `base_price`, `unit_cost`, `unit`, `quantity`,
            `expiry_date`, `day` (the local date), and of the open discount (all NULL without one)
            `current_price`, `current_base_price`, `current_unit_cost`, `current_expiry_date` and
            `current_policy_version`.

    Returns:
        All columns of `candidates`, then `price`, `rate`, `rule` and `limits` (a mask), all NULL without a
        discount.
    """
    own = [column.key for column in candidates.c]
    rows = product_terms(policy, candidates).c
    current = CurrentColumns(*(rows[f"current_{field.name}"] for field in fields(CurrentColumns)))
    terms = batch_terms(
        policy,
        rows,
        quantity=rows.quantity,
        days_to_expiry=rows.expiry_date - rows.day,
        expiry_date=rows.expiry_date,
        current=current,
    )
    quoted = quote_terms(policy, optimization_barrier(select(*(rows[key] for key in own), *terms))).c
    return select(
        *(quoted[key] for key in own),
        price_of(quoted.price_cents).label("price"),
        rate_of(quoted.price_cents, quoted.base_cents).label("rate"),
        quoted.rule,
        quoted.limits,
    )


def product_terms(policy: CompiledPolicy, products: FromClause) -> Subquery:
    """Adds the terms that a product's quotes share, before any join with batches.

    Args:
        policy: the policy.
        products: has the columns `category_key`, `base_price` and `unit_cost`, and `unit` for `batch_terms`.

    Returns:
        All columns of `products`, then `scope`, `base_cents`, `floor_cents` (rounded up to the step),
        `exact_floor` (before rounding, in ten-thousandths of a cent) and `floor_limits` (the mask of the
        binding floors).
    """
    given = products.c
    cost = cents_of(given.unit_cost) if policy.cost_factor is not None else cast(null(), BigInteger)
    whole = optimization_barrier(
        select(
            *given,
            scope_of(policy, given.category_key).label("scope"),
            cents_of(given.base_price).label("base_cents"),
            floor_fraction_of(policy, given.category_key).label("floor_fraction"),
            cost.label("cost_cents"),
        )
    ).c
    own = [whole[column.key] for column in given]
    exact = optimization_barrier(
        select(
            *own,
            whole.scope,
            whole.base_cents,
            (whole.base_cents * whole.floor_fraction).label("exact_fraction"),
            (whole.cost_cents * int_literal(policy.cost_factor or RATE_PARTS)).label("exact_cost"),
        )
    ).c
    rounded = optimization_barrier(
        select(
            *(exact[column.key] for column in own),
            exact.scope,
            exact.base_cents,
            # GREATEST ignores NULL, the cost floor of a product without a cost.
            func.greatest(exact.exact_fraction, exact.exact_cost).label("exact_floor"),
            func.greatest(_rounded_up(exact.exact_fraction, policy), int_literal(policy.step)).label(
                "fraction_floor"
            ),
            _rounded_up(exact.exact_cost, policy).label("cost_floor"),
        )
    ).c
    floor = func.greatest(rounded.fraction_floor, rounded.cost_floor)
    return optimization_barrier(
        select(
            *(rounded[column.key] for column in own),
            rounded.scope,
            rounded.base_cents,
            floor.label("floor_cents"),
            rounded.exact_floor,
            (
                limit_if(rounded.fraction_floor == floor, Limit.FLOOR)
                + limit_if(rounded.cost_floor == floor, Limit.MARGIN)
            ).label("floor_limits"),
        )
    )


def batch_terms(
    policy: CompiledPolicy,
    products: Columns,
    *,
    quantity: ColumnElement[Any],
    days_to_expiry: ColumnElement[Any],
    expiry_date: ColumnElement[Any],
    current: CurrentColumns,
) -> list[Label[Any]]:
    """Returns the columns that `quote_terms` needs, for a join of batch, product and open discount.

    Args:
        policy: the policy.
        products: the columns of `product_terms`.
        quantity: of the batch, in thousandths.
        days_to_expiry: from the local date; it is evaluated several times, so it must be cheap.
        expiry_date: of the batch.
        current: the columns of the open discount.

    Returns:
        Columns for the SELECT of the join: `matched` (internal), `current_cents` (the open price),
        `inputs_unchanged` (whether base price, unit cost, expiry date and policy version are those of the
        open discount; not true without one), and `base_cents`, `floor_cents`, `exact_floor` and
        `floor_limits` of the product.
    """
    for_sale = and_(
        days_to_expiry >= int_literal(0), quantity > int_literal(0), expiry_date < date_literal(NO_EXPIRY)
    )
    matched = case(
        (for_sale, matched_rule(policy, products.scope, days_to_expiry, quantity, products.unit)),
        else_=int_literal(NOT_FOR_SALE),
    )
    unchanged = and_(
        current.policy_version == (null() if policy.version is None else int_literal(policy.version)),
        current.expiry_date == expiry_date,
        current.base_price == products.base_price,
        current.unit_cost.is_not_distinct_from(products.unit_cost),
    )
    return [
        matched.label("matched"),
        cents_of(current.price).label("current_cents"),
        unchanged.label("inputs_unchanged"),
        products.base_cents.label("base_cents"),
        products.floor_cents.label("floor_cents"),
        products.exact_floor.label("exact_floor"),
        products.floor_limits.label("floor_limits"),
    ]


def quote_terms(policy: CompiledPolicy, batches: FromClause) -> Subquery:
    """Adds the quotes of batches, in cents.

    Args:
        policy: the policy.
        batches: has all columns of `batch_terms`, and may have others at a small cost per row.

    Returns:
        All columns of `batches`, then `price_cents`, `rule` and `limits`, all NULL without a discount. `rule`
        is also NULL where a price is held though no rule matches.
    """
    own = [column.key for column in batches.c]
    priced = optimization_barrier(select(*batches.c, new_price(policy, batches.c).label("new_cents"))).c
    decided = optimization_barrier(select(*priced, decide(policy, priced).label("decision"))).c
    takes_new = decided.decision == int_literal(USE_NEW_PRICE)
    return optimization_barrier(
        select(
            *(decided[key] for key in own),
            case(
                (takes_new, decided.new_cents), (decided.decision.is_not(None), decided.current_cents)
            ).label("price_cents"),
            case((decided.decision.is_not(None), rule_name(policy, decided.matched))).label("rule"),
            cast(case((takes_new, own_limits(policy, decided)), else_=decided.decision), SmallInteger).label(
                "limits"
            ),
        )
    )


def _rounded_up(exact: ColumnElement[int], policy: CompiledPolicy) -> ColumnElement[int]:
    rounded = quotient(exact + int_literal(policy.step_parts - 1), int_literal(policy.step_parts))
    return rounded * int_literal(policy.step)

"""Fingerprints: one hash of all inputs of a price, stored with each discount.

While it is unchanged, a recompute must reach the same price, rule and limits: quoting is a function of these
inputs and the open price, and a price that was set or held once is held again on the same inputs. So a
recompute compares one number per batch and quotes only where it differs. Days to expiry and quantity enter
through the rule that they select.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, Numeric, case, cast, func, literal_column

from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.policy import Columns
from flexiprice.pricing.sql.values import RATE_PARTS, int_literal, quotient


def min_opening_rate(policy: CompiledPolicy, products: Columns) -> ColumnElement[int]:
    """The smallest rate, in ten-thousandths, that opens a discount.

    The rounded price and the floor must be below the base price by at least `min_change`, and at least one
    cent. If the floor is not, the result is a rate that no rule has.

    Args:
        policy: the policy.
        products: the columns of `policy.product_terms`.
    """
    base = products.base_cents
    highest = base - int_literal(max(policy.min_change, 1))
    # The price rounds to at most `highest` if and only if base × (1 - rate) is below this.
    steps = quotient(highest, int_literal(policy.step)) + int_literal(1)
    bound = steps * int_literal(policy.step_parts) - int_literal(policy.step_parts // 2)
    largest_remaining_rate = quotient(bound - int_literal(1), base)
    return cast(
        case(
            (products.floor_cents <= highest, int_literal(RATE_PARTS) - largest_remaining_rate),
            else_=int_literal(RATE_PARTS),
        ),
        Integer,
    )


# Increase it when `domain.quote` changes, so that all open prices are quoted again.
_ALGORITHM_VERSION = 2
_NO_RULE = 0


def product_fingerprint(policy: CompiledPolicy, products: Columns) -> ColumnElement[int]:
    """The part of a fingerprint that all batches of a product share.

    Args:
        policy: the policy; without a version, its fingerprints differ from all stored ones.
        products: the columns of `policy.product_terms`, and `unit_cost`.
    """
    seed = int_literal(_ALGORITHM_VERSION << 32 | (policy.version or 0))
    unit_cost = func.coalesce(products.unit_cost, literal_column("-1", Numeric))
    combined: ColumnElement[int] = func.hash_numeric_extended(unit_cost, seed, type_=BigInteger)
    for part in (
        products.scope * int_literal(64) + products.floor_limits,
        products.base_cents,
        products.floor_cents,
        products.exact_floor,
    ):
        combined = _hashed(part, combined)
    return combined


def batch_fingerprint(
    product: ColumnElement[int], *, matched: ColumnElement[Any], expiry_date: ColumnElement[Any]
) -> ColumnElement[int]:
    """The fingerprint of a batch.

    Args:
        product: from `product_fingerprint`.
        matched: the deciding rule, from `rules.matched_rule`; NULL without one.
        expiry_date: of the batch.
    """
    days = expiry_date - literal_column("date '1970-01-01'", Date)
    rule = func.coalesce(matched, int_literal(_NO_RULE)).cast(BigInteger)
    return _hashed(
        rule.op("<<", return_type=BigInteger())(int_literal(32)).op("|", return_type=BigInteger())(days),
        product,
    )


def _hashed(part: ColumnElement[int], seed: ColumnElement[int]) -> ColumnElement[int]:
    return func.hashint8extended(part, seed, type_=BigInteger)

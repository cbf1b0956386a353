"""A number that stands for all that a price is decided on.

It is stored with every discount. While it stays the same a recompute must come to the same price, rule
and limits: quoting is a function of these inputs and the open price, and a price that was taken or held
once is held again on the same inputs. So a recompute compares one number a batch and quotes only where it
differs. Days to expiry and quantity are in it by the rule that they select.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, Numeric, case, cast, func, literal_column

from flexiprice.domain.policy import PricingPolicy
from flexiprice.pricing.sql.policy import Columns
from flexiprice.pricing.sql.values import RATE_PARTS, cents, number, quotient


def opening_rate(policy: PricingPolicy, products: Columns) -> ColumnElement[int]:
    """The smallest rate, in ten-thousandths, at which a batch without a discount gets one.

    The rounded price must fall at least `min_change`, and at least a cent, below the base price, and so
    must the floor; where the floor does not, no rate is enough and the result is one that no rule has.

    Args:
        policy: the policy.
        products: columns of what `policy_sql.product_terms` gave.
    """
    base, step = products.base_cents, cents(policy.rounding_step)
    highest = base - number(max(cents(policy.min_change), 1))
    # The price rounds to at most `highest` exactly where base × (1 - rate) stays below this.
    bound = (quotient(highest, number(step)) + number(1)) * number(step * RATE_PARTS) - number(
        step * RATE_PARTS // 2
    )
    largest_rest = quotient(bound - number(1), base)
    return cast(
        case((products.floor_cents <= highest, number(RATE_PARTS) - largest_rest), else_=number(RATE_PARTS)),
        Integer,
    )


# To be raised when `domain.quote` comes to mean something else, so that every open price is quoted anew.
_MEANING = 1
_NO_RULE = 0


def product_fingerprint(policy: PricingPolicy, products: Columns) -> ColumnElement[int]:
    """What the policy and a product put into the fingerprints of the product's batches.

    Args:
        policy: the policy; one without a version has a fingerprint that no stored one equals.
        products: columns of what `policy_sql.product_terms` gave, and `unit_cost`.
    """
    seed = number(_MEANING << 32 | (policy.version or 0))
    unit_cost = func.coalesce(products.unit_cost, literal_column("-1", Numeric))
    combined: ColumnElement[int] = func.hash_numeric_extended(unit_cost, seed, type_=BigInteger)
    for part in (
        products.scope * number(64) + products.floor_limits,
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
        matched: the rule that decides, from `policy_sql_rules.matched_rule`; NULL where none does.
        expiry_date: the batch's.
    """
    days = expiry_date - literal_column("date '1970-01-01'", Date)
    rule = func.coalesce(matched, number(_NO_RULE)).cast(BigInteger)
    return _hashed(
        rule.op("<<", return_type=BigInteger())(number(32)).op("|", return_type=BigInteger())(days), product
    )


def _hashed(part: ColumnElement[int], seed: ColumnElement[int]) -> ColumnElement[int]:
    return func.hashint8extended(part, seed, type_=BigInteger)

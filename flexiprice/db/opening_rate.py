"""From which discount rate on a product's discount is worth opening, found once a product."""

from sqlalchemy import ColumnElement, Integer, case, cast

from flexiprice.db.cents import RATE_PARTS, cents, number, quotient
from flexiprice.db.policy_sql import Columns
from flexiprice.domain.policy import PricingPolicy


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

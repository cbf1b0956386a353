"""Discount curves: the rate that a policy gives by days to expiry, for display."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quote import PricedBatch, quote

# Any day does: only its distance to the expiry date matters.
_TODAY: Final = date(2000, 1, 1)
_NO_DISCOUNT: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The discount on one day before the expiry date.

    Attributes:
        days_to_expiry: 0 on the last day of sale.
        rate: the effective discount rate of the price; 0 without a discount.
        rule: the deciding rule; None without a discount.
    """

    days_to_expiry: int
    rate: Decimal
    rule: str | None


@dataclass(frozen=True, slots=True)
class DiscountCurve:
    """The discount by day, for one category and one quantity.

    Attributes:
        category_key: None for categories without a scope in the policy.
        points: the last day of sale first.
    """

    category_key: str | None
    points: tuple[CurvePoint, ...]


def discount_curves(
    policy: PricingPolicy, *, base_price: Decimal, quantity: Decimal, days: int
) -> tuple[DiscountCurve, ...]:
    """Returns the default scope's curve, then one per category scope, by its key.

    Floors and rounding apply. The cost of a product and its open price do not.

    Args:
        policy: the rules.
        base_price: of the example product.
        quantity: of the example batch, in pieces, from 1.
        days: the days before the expiry date on which the curves begin.
    """
    keys: Sequence[str | None] = [None, *sorted(policy.categories)]
    return tuple(
        DiscountCurve(
            key, tuple(_point(policy, key or "", base_price, quantity, day) for day in range(days + 1))
        )
        for key in keys
    )


def _point(policy: PricingPolicy, key: str, base_price: Decimal, quantity: Decimal, day: int) -> CurvePoint:
    batch = PricedBatch(key, base_price, None, quantity, _TODAY + timedelta(days=day))
    quoted = quote(batch, policy, on=_TODAY)
    return (
        CurvePoint(day, _NO_DISCOUNT, None) if quoted is None else CurvePoint(day, quoted.rate, quoted.rule)
    )

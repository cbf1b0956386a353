"""What a policy takes off as the expiry date comes near: a curve for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quote import PricedBatch, quote

# Any day will do: only its distance to the expiry date matters.
_TODAY: Final = date(2000, 1, 1)
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What is taken off so many days before the expiry date.

    Attributes:
        days_to_expiry: 0 on the last day of sale.
        rate: the discount rate that the price really gives; 0 where there is no discount.
        rule: the rule that decides; None where there is no discount.
    """

    days_to_expiry: int
    rate: Decimal
    rule: str | None


@dataclass(frozen=True, slots=True)
class DiscountCurve:
    """What is taken off from day to day, for one category and one quantity.

    Attributes:
        category_key: None for a category of which the policy says nothing.
        points: the last day of sale first.
    """

    category_key: str | None
    points: tuple[CurvePoint, ...]


def discount_curves(
    policy: PricingPolicy, *, base_price: Decimal, quantity: int, days: int
) -> tuple[DiscountCurve, ...]:
    """The curve of what has no rules of its own, and of each category that has, by its key.

    Floors and rounding count; the cost of a product and the price that it has already do not.

    Args:
        policy: the rules.
        base_price: of the product that is looked at.
        quantity: of the batch that is looked at, from 1.
        days: how many days before the expiry date the curves begin.
    """
    keys: Sequence[str | None] = [None, *sorted(policy.categories)]
    return tuple(
        DiscountCurve(
            key, tuple(_point(policy, key or "", base_price, quantity, day) for day in range(days + 1))
        )
        for key in keys
    )


def _point(policy: PricingPolicy, key: str, base_price: Decimal, quantity: int, day: int) -> CurvePoint:
    batch = PricedBatch(key, base_price, None, quantity, _TODAY + timedelta(days=day))
    quoted = quote(batch, policy, on=_TODAY)
    return CurvePoint(day, _NOTHING, None) if quoted is None else CurvePoint(day, quoted.rate, quoted.rule)

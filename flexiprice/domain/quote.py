"""The reference implementation of pricing: the price of a batch on a day. The SQL must agree with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum

from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.money import EXACT, effective_rate, round_half_up, round_up
from flexiprice.domain.policy import PricingPolicy, PricingRule, by_discount
from flexiprice.domain.quantity import Unit


class Limit(StrEnum):
    """A part of the policy that changed the outcome of a quote.

    Limits are listed in the order of the members, and the position of a member is its bit in a stored mask:
    add members only at the end.
    """

    MAX_DISCOUNT = "max_discount"
    FLOOR = "floor"
    MARGIN = "margin"
    ROUNDING = "rounding"
    MIN_CHANGE = "min_change"
    HELD = "held"

    @property
    def bit(self) -> int:
        """The limit's value in a mask, a power of two."""
        return 1 << _ORDER.index(self)


_ORDER = tuple(Limit)


def limits_to_mask(limits: Iterable[Limit]) -> int:
    """Packs limits into an integer of 0 to 63; bit i is the i-th `Limit`."""
    mask = 0
    for limit in limits:
        mask |= limit.bit
    return mask


def limits_from_mask(mask: int) -> tuple[Limit, ...]:
    """Unpacks a mask of `limits_to_mask`, in the order of `Limit`.

    Raises:
        ValueError: the mask has bits of no limit.
    """
    if not 0 <= mask < 1 << len(_ORDER):
        raise ValueError(f"{mask} is not a mask of limits")
    return tuple(limit for limit in _ORDER if mask & limit.bit)


@dataclass(frozen=True, slots=True)
class PricedBatch:
    """The facts of a batch that its price depends on.

    Attributes:
        category_key: the product's category, see `domain.category`.
        base_price: from 0.01 to 9,999,999,999.99, whole cents.
        unit_cost: from 0, whole cents; None if unknown.
        quantity: stock in the product's unit, not negative.
        expiry_date: the last day of sale; `NO_EXPIRY` of goods without one, which are never discounted.
        unit: of the product.
    """

    category_key: str
    base_price: Decimal
    unit_cost: Decimal | None
    quantity: Decimal
    expiry_date: date
    unit: Unit = Unit.EACH


@dataclass(frozen=True, slots=True)
class CurrentDiscount:
    """The open discount of a batch: its price, and the inputs of that decision."""

    price: Decimal
    base_price: Decimal
    unit_cost: Decimal | None
    expiry_date: date
    policy_version: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A price below the base price, with its reasons.

    Attributes:
        price: whole cents, above zero.
        rate: the effective discount rate of the price, half-up to 4 decimals.
        rule: the name of the deciding rule; None where a price is held though no rule matches.
        limits: the limits that changed the outcome, in the order of `Limit`.
    """

    price: Decimal
    rate: Decimal
    rule: str | None
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class _Floors:
    """The price floors: from the base price and, where the policy asks for it, from the cost."""

    exact_fraction: Decimal
    exact_cost: Decimal | None
    step: Decimal

    @property
    def fraction(self) -> Decimal:
        # At least one step, so that no price is ever 0.
        return max(round_up(self.exact_fraction, self.step), self.step)

    @property
    def cost(self) -> Decimal | None:
        return None if self.exact_cost is None else round_up(self.exact_cost, self.step)

    @property
    def binding(self) -> Decimal:
        return max(self.fraction, self.cost or self.fraction)

    @property
    def exact(self) -> Decimal:
        return max(self.exact_fraction, self.exact_cost or self.exact_fraction)


def quote(
    batch: PricedBatch, policy: PricingPolicy, *, on: date, current: CurrentDiscount | None = None
) -> Quote | None:
    """Prices a batch on a day of its store; returns None without a discount.

    Args:
        batch: the batch.
        policy: the rules; its version matters only beside `current`.
        on: the day, a local date of the batch's store.
        current: the open discount of the batch, which the policy may hold; None where it is closed.
    """
    days_to_expiry = (batch.expiry_date - on).days
    if days_to_expiry < 0 or batch.quantity == 0 or batch.expiry_date == NO_EXPIRY:
        return None
    with localcontext(EXACT):
        floors = _floors(batch, policy)
        holdable = current if current and _may_be_held(current, batch, policy, floors.binding) else None
        rule = deciding_rule(policy, batch.category_key, days_to_expiry, batch.quantity, batch.unit)
        if rule is None:
            return _hold(holdable, batch, None, [Limit.HELD]) if holdable and policy.price_only_down else None

        price = max(_discounted(batch.base_price, _rate(rule, policy), policy.rounding_step), floors.binding)
        if price >= batch.base_price:
            return None
        if current is None and batch.base_price - price < policy.min_change:
            return None
        if holdable and holdable.price != price:
            reasons = list(_reasons_to_keep(holdable.price, price, policy))
            if reasons:
                return _hold(holdable, batch, rule.name, reasons)
        return Quote(
            price=price,
            rate=effective_rate(price, batch.base_price),
            rule=rule.name,
            limits=tuple(_limits(price, rule, batch, policy, floors)),
        )


def deciding_rule(
    policy: PricingPolicy, category_key: str, days_to_expiry: int, quantity: Decimal, unit: Unit
) -> PricingRule | None:
    """Returns the deciding rule of a batch: from the category's scope first, then from the default one."""
    category = policy.categories.get(category_key)
    for rules in (category.rules if category else (), policy.rules):
        for rule in by_discount(rules):
            if rule.matches(days_to_expiry, quantity, unit):
                return rule
    return None


def _rate(rule: PricingRule, policy: PricingPolicy) -> Decimal:
    return min(rule.discount, policy.max_discount)


def _discounted(base_price: Decimal, rate: Decimal, step: Decimal) -> Decimal:
    return round_half_up(base_price * (1 - rate), step)


def _floors(batch: PricedBatch, policy: PricingPolicy) -> _Floors:
    category = policy.categories.get(batch.category_key)
    fraction = policy.floor_fraction
    if category is not None and category.floor_fraction is not None:
        fraction = category.floor_fraction
    cost = None
    if batch.unit_cost is not None and policy.min_margin_over_cost is not None:
        cost = batch.unit_cost * (1 + policy.min_margin_over_cost)
    return _Floors(batch.base_price * fraction, cost, policy.rounding_step)


def _may_be_held(current: CurrentDiscount, batch: PricedBatch, policy: PricingPolicy, floor: Decimal) -> bool:
    return (
        floor <= current.price < batch.base_price
        and current.base_price == batch.base_price
        and current.unit_cost == batch.unit_cost
        and current.expiry_date == batch.expiry_date
        and current.policy_version == policy.version
    )


def _reasons_to_keep(open_price: Decimal, price: Decimal, policy: PricingPolicy) -> Iterator[Limit]:
    if abs(price - open_price) < policy.min_change:
        yield Limit.MIN_CHANGE
    if policy.price_only_down and price > open_price:
        yield Limit.HELD


def _hold(current: CurrentDiscount, batch: PricedBatch, rule: str | None, reasons: list[Limit]) -> Quote:
    return Quote(current.price, effective_rate(current.price, batch.base_price), rule, tuple(reasons))


def _limits(
    price: Decimal, rule: PricingRule, batch: PricedBatch, policy: PricingPolicy, floors: _Floors
) -> Iterator[Limit]:
    rate, step = _rate(rule, policy), policy.rounding_step
    if max(_discounted(batch.base_price, rule.discount, step), floors.binding) != price:
        yield Limit.MAX_DISCOUNT
    if floors.binding > _discounted(batch.base_price, rate, step):
        if floors.fraction == floors.binding:
            yield Limit.FLOOR
        if floors.cost == floors.binding:
            yield Limit.MARGIN
    if price != max(batch.base_price * (1 - rate), floors.exact):
        yield Limit.ROUNDING

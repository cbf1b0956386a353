"""The reference for what a batch costs on a day. Everything else that prices must agree with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum

from flexiprice.domain.money import EXACT, effective_rate, round_half_up, round_up
from flexiprice.domain.policy import PricingPolicy, PricingRule, by_discount


class Limit(StrEnum):
    """A part of the policy that changed the outcome of a quote.

    The order of the members is the order in which limits are listed, and their place is their bit
    in a mask, so members may only ever be added at the end.
    """

    MAX_DISCOUNT = "max_discount"
    FLOOR = "floor"
    MARGIN = "margin"
    ROUNDING = "rounding"
    MIN_CHANGE = "min_change"
    HELD = "held"

    @property
    def bit(self) -> int:
        """The limit's value in a mask: a power of two."""
        return 1 << _ORDER.index(self)


_ORDER = tuple(Limit)


def limits_to_mask(limits: Iterable[Limit]) -> int:
    """Packs limits into an integer of 0 to 63, in which bit i stands for the i-th `Limit`."""
    mask = 0
    for limit in limits:
        mask |= limit.bit
    return mask


def limits_from_mask(mask: int) -> tuple[Limit, ...]:
    """Unpacks what `limits_to_mask` packed, in the order of `Limit`.

    Raises:
        ValueError: the mask has bits that stand for no limit.
    """
    if not 0 <= mask < 1 << len(_ORDER):
        raise ValueError(f"{mask} is not a mask of limits")
    return tuple(limit for limit in _ORDER if mask & limit.bit)


@dataclass(frozen=True, slots=True)
class PricedBatch:
    """What a price depends on.

    Attributes:
        category_key: the product's category, see `domain.category`.
        base_price: from 0.01 to 9,999,999,999.99, whole cents.
        unit_cost: from 0, whole cents; None where it is not known.
        quantity: units in stock, not negative.
        expiry_date: the last day of sale.
    """

    category_key: str
    base_price: Decimal
    unit_cost: Decimal | None
    quantity: int
    expiry_date: date


@dataclass(frozen=True, slots=True)
class CurrentDiscount:
    """The discount that is open for a batch: its price, and what that was decided on."""

    price: Decimal
    base_price: Decimal
    unit_cost: Decimal | None
    expiry_date: date
    policy_version: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A price below the base price, and why.

    Attributes:
        price: whole cents, above zero.
        rate: the discount rate that the price really gives, half-up to 4 decimals.
        rule: the name of the rule that decided; None where a price is held though no rule matches.
        limits: what else changed the outcome, in the order of `Limit`.
    """

    price: Decimal
    rate: Decimal
    rule: str | None
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class _Floors:
    """What a price may not go below: from the base price and, where it counts, from the cost."""

    exact_fraction: Decimal
    exact_cost: Decimal | None
    step: Decimal

    @property
    def fraction(self) -> Decimal:
        # At least one step, so that nothing is ever given away, whatever the fraction.
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
    """What a batch costs on a day of its store, or None where it has no discount.

    Args:
        batch: what is priced.
        policy: the rules; its version matters only beside `current`.
        on: the day, by the calendar of the batch's store.
        current: the discount that is open for the batch, which the policy may hold. A batch that
            opens, or opens again, has none.
    """
    days_to_expiry = (batch.expiry_date - on).days
    if days_to_expiry < 0 or batch.quantity == 0:
        return None
    with localcontext(EXACT):
        floors = _floors(batch, policy)
        holdable = current if current and _may_be_held(current, batch, policy, floors.binding) else None
        rule = deciding_rule(policy, batch.category_key, days_to_expiry, batch.quantity)
        if rule is None:
            return _kept(holdable, batch, None, [Limit.HELD]) if holdable and policy.price_only_down else None

        price = max(_discounted(batch.base_price, _rate(rule, policy), policy.rounding_step), floors.binding)
        if price >= batch.base_price:
            return None
        if current is None and batch.base_price - price < policy.min_change:
            return None
        if holdable and holdable.price != price:
            reasons = list(_reasons_to_keep(holdable.price, price, policy))
            if reasons:
                return _kept(holdable, batch, rule.name, reasons)
        return Quote(
            price=price,
            rate=effective_rate(price, batch.base_price),
            rule=rule.name,
            limits=tuple(_limits(price, rule, batch, policy, floors)),
        )


def deciding_rule(
    policy: PricingPolicy, category_key: str, days_to_expiry: int, quantity: int
) -> PricingRule | None:
    """The rule that decides for a batch: the category's scope is asked first, then the default one."""
    category = policy.categories.get(category_key)
    for rules in (category.rules if category else (), policy.rules):
        for rule in by_discount(rules):
            if rule.matches(days_to_expiry, quantity):
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


def _kept(current: CurrentDiscount, batch: PricedBatch, rule: str | None, reasons: list[Limit]) -> Quote:
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

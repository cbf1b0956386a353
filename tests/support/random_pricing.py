"""Random policies and batches that crowd around the edges where two implementations could part."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.money import CENT, MAX_PRICE, MIN_PRICE
from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.domain.quantity import MAX_QUANTITY, Unit
from flexiprice.domain.quote import CurrentDiscount, PricedBatch, quote

DAY = date(2024, 2, 28)
CATEGORIES = ("bakery", "café", "ﬁsh & chips", "o'brien's", r"back\slash", "100% :juice", "größe", "z")
UNKNOWN_CATEGORIES = ("unknown", "", "Bakery", "bakery ", "bakerz", "a", "zz")
NAMES = (
    "last day",
    "it's",
    ":colon",
    "100%",
    "%(x)s",
    r"back\slash",
    '"quoted"',
    "naïve 漢字",
    "$1",
    "{x}",
    "E'\\'",
)
STEPS = (
    "0.01",
    "0.01",
    "0.01",
    "0.02",
    "0.04",
    "0.05",
    "0.10",
    "0.25",
    "0.50",
    "1.00",
    "5",
    "7",
    "33",
    "1000",
)
LARGE_STEPS = ("1000000", "9999999999", "5000000000")


def rate(random: Random, below: int = 10_000) -> Decimal:
    """A fraction in [0, 1) with at most four decimals."""
    parts = random.choice(
        (
            lambda: random.randrange(below),
            lambda: 100 * random.randrange(math.ceil(below / 100)),
            lambda: random.choice((0, 1, 2500, 5000, 7500, 9999)),
        )
    )()
    return Decimal(min(parts, below - 1)).scaleb(-4)


def random_policy(random: Random) -> PricingPolicy:
    """A policy over every part of the document; three in four are stored ones, with version 7."""
    numbers = iter(range(1_000_000))

    def range_up_to(bounds: Sequence[Decimal | int]) -> dict[str, Decimal | int]:
        low, high = sorted(random.choice(bounds) for _ in range(2))
        return {key: value for key, value in (("min", low), ("max", high)) if random.random() < 0.6}

    def random_stock_bounds() -> dict[str, object]:
        unit = random.choice((None, None, None, *Unit))
        bounds = [0, 1, 2, 10, 50, 1000, MAX_QUANTITY]
        if unit is not Unit.EACH:
            bounds += [Decimal("0.001"), Decimal("1.5"), Decimal("49.999")]
        return {"quantity": range_up_to(bounds)} | ({} if unit is None else {"unit": unit})

    def rules(least: int, most: int) -> list[dict[str, object]]:
        return [
            {
                "name": f"{random.choice(NAMES)} {next(numbers)}",
                "days_to_expiry": range_up_to((0, 0, 1, 2, 3, 5, 10, 30, 365)),
                **random_stock_bounds(),
                "discount": random.choice((rate(random), Decimal("0.4"))),
            }
            for _ in range(random.randint(least, most))
        ]

    categories = {
        key: {"rules": rules(0, 3)} | ({"floor_fraction": floor(random)} if random.random() < 0.5 else {})
        for key in random.sample(CATEGORIES, random.randint(0, len(CATEGORIES)))
    }
    policy = parse_policy(
        {
            "max_discount": random.choice((Decimal("0.9999"), Decimal("0.7"), Decimal("0.7"), rate(random))),
            "floor_fraction": floor(random),
            "min_margin_over_cost": margin(random),
            "rounding_step": Decimal(random.choice(LARGE_STEPS if random.random() < 0.05 else STEPS)),
            "min_change": min_change(random),
            "price_only_down": random.random() < 0.7,
            "rules": rules(random.choice((0, 3, 3, 3)), 6),
            "categories": categories,
        }
    )
    return policy.with_version(7) if random.random() < 0.75 else policy


def floor(random: Random) -> Decimal:
    """A floor fraction in [0, 1], small ones being the rule."""
    if random.random() < 0.05:
        return Decimal(1)
    return random.choice(
        (Decimal("0.25"), Decimal(0), rate(random, 1_000), rate(random, 3_000), rate(random, 6_000))
    )


def margin(random: Random) -> Decimal | None:
    """A margin over cost in [0, 100], none and small ones being the rule."""
    if random.random() < 0.05:
        return random.choice((Decimal(100), Decimal("1.2345")))
    return random.choice((None, Decimal(0), Decimal("0.05"), rate(random, 3_000)))


def min_change(random: Random) -> Decimal:
    """A change in whole cents, one cent being the rule."""
    if random.random() < 0.05:
        return random.choice((Decimal(20), MAX_PRICE))
    return random.choice((Decimal(0), CENT, CENT, CENT, Decimal("0.03"), Decimal("0.50")))


def random_price(random: Random) -> Decimal:
    """A price in whole cents between the smallest and the largest."""
    cents = random.choice(
        (
            lambda: random.randint(1, 20),
            lambda: random.randint(20, 2_000),
            lambda: random.randint(20, 2_000),
            lambda: int(10 ** random.uniform(0, 11.99)),
            lambda: random.choice((1, 2, 3, 999_999_999_999, 999_999_999_998)),
        )
    )()
    return Decimal(cents).scaleb(-2)


def random_batch(random: Random, policy: PricingPolicy) -> PricedBatch:
    """A batch near the edges of the policy's rules."""
    base_price = random_price(random)
    rules = [rule for _, rule in policy.rules_with_paths()]
    edges = [
        end for rule in rules for end in (rule.days_to_expiry.min, rule.days_to_expiry.max) if end is not None
    ]
    amounts = [end for rule in rules for end in (rule.quantity.min, rule.quantity.max) if end is not None]
    days = random.choice([*edges, 0, 1, 2, 30]) + random.choice((-1, 0, 0, 0, 0, 1))
    unit = random.choice((Unit.EACH, Unit.EACH, *Unit))
    step = Decimal(unit.step).scaleb(-3)
    quantity = random.choice([*amounts, 1, 7, 60]) + random.choice((-1, -step, 0, 0, 0, 0, step, 1))
    return PricedBatch(
        category_key=random.choice(
            [*policy.categories, random.choice(CATEGORIES), random.choice(UNKNOWN_CATEGORIES)]
        ),
        base_price=base_price,
        unit_cost=random_cost(random, base_price),
        quantity=Decimal(min(max(quantity - quantity % step, 0), MAX_QUANTITY)),
        expiry_date=random.choice((NO_EXPIRY, *[DAY + timedelta(days=days)] * 30)),
        unit=unit,
    )


def moved_to(batch: PricedBatch, day: date) -> date:
    """The expiry date of a batch of `random_batch` that is as far from another day; none stays none."""
    return batch.expiry_date if batch.expiry_date == NO_EXPIRY else day + (batch.expiry_date - DAY)


def random_cost(random: Random, base_price: Decimal) -> Decimal | None:
    """No cost, or one from nothing to beyond the base price."""
    share = random.choice((None, None, 0.0, 0.3, 0.5, 0.9, 1.0, 1.1, random.random()))
    if share is None:
        return None
    return min((base_price * Decimal(share)).quantize(CENT), MAX_PRICE)


def random_current(random: Random, batch: PricedBatch, policy: PricingPolicy) -> CurrentDiscount | None:
    """Often no discount; else one whose price lies near the new one, mostly with all else unchanged."""
    if random.random() < 0.25:
        return None
    new = quote(batch, policy, on=DAY)
    near = new.price if new else batch.base_price * (1 - rate(random))
    away = random.choice(
        (
            Decimal(0),
            CENT,
            -CENT,
            2 * CENT,
            -2 * CENT,
            policy.rounding_step,
            -policy.min_change,
            policy.min_change,
        )
    )
    at_an_edge = (batch.base_price, batch.base_price - CENT, batch.base_price * policy.floor_fraction)
    price = random.choice(
        (near + away, near + away, near + away, random.choice(at_an_edge), random_price(random))
    )
    changed = random.random() < 0.2
    return CurrentDiscount(
        price=min(max(price.quantize(CENT), MIN_PRICE), MAX_PRICE),
        base_price=random.choice((batch.base_price, random_price(random))) if changed else batch.base_price,
        unit_cost=random.choice((batch.unit_cost, None, random_price(random)))
        if changed
        else batch.unit_cost,
        expiry_date=batch.expiry_date - timedelta(days=random.choice((0, 1)))
        if changed
        else batch.expiry_date,
        policy_version=random.choice((7, 6)) if changed else 7,
    )

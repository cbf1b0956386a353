"""The reasons that a recompute records for a price: rule, limits, held prices."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Batch, Discount, PriceDecision, Product, Store
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quote import Limit, limits_from_mask
from flexiprice.errors import InvalidInput
from flexiprice.pricing.recompute import MAX_BATCHES_AT_ONCE, recompute_all_discounts, recompute_batches
from tests.support.builders import DAY, NOON, a_batch, a_product, an_active_policy, ledger, open_price

ONE_DAY = timedelta(days=1)
POLICY: dict[str, object] = {
    "floor_fraction": "0.20",
    "min_change": "0.05",
    "rules": [
        {"name": "two days left", "days_to_expiry": {"max": 2}, "discount": "0.25"},
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"},
        {"name": "overstock", "days_to_expiry": {"max": 3}, "quantity": {"min": 50}, "discount": "0.40"},
        {"name": "much of it", "days_to_expiry": {"min": 31}, "quantity": {"min": 500}, "discount": "0.10"},
    ],
}


@pytest.fixture(autouse=True)
async def version(session: AsyncSession) -> int:
    return await an_active_policy(session, POLICY)


async def recompute(session: AsyncSession, days_later: int = 0, *, threshold: int = 30) -> tuple[int, ...]:
    """Recomputes at noon; returns the numbers opened, changed and closed."""
    now = NOON + days_later * ONE_DAY
    done = await recompute_all_discounts(session, now=now, days_threshold=threshold)
    return done.opened, done.changed, done.closed


async def set_batch(session: AsyncSession, batch_id: int, **values: object) -> None:
    await session.execute(update(Batch).where(Batch.id == batch_id).values(values))


async def discount(session: AsyncSession, batch_id: int) -> Discount:
    return await session.get_one(Discount, batch_id, populate_existing=True)


async def row(session: AsyncSession, entity: type[Discount] | type[PriceDecision]) -> dict[str, object]:
    return dict((await session.execute(select(entity.__table__))).mappings().one())


async def test_a_discount_and_its_line_in_the_ledger_hold_all_that_was_decided_on(
    session: AsyncSession, version: int
) -> None:
    product = await a_product(session, base_price="3.99", unit_cost="1.20")
    batch = await a_batch(session, product, expiry_date=DAY + 2 * ONE_DAY, quantity=7)
    await recompute(session)
    decided = {
        "batch_id": batch,
        "price": Decimal("2.99"),
        "base_price": Decimal("3.99"),
        "unit_cost": Decimal("1.20"),
        "rate": Decimal("0.2506"),
        "rule": "two days left",
        "limits": Limit.ROUNDING.bit,
        "policy_version": version,
        "expiry_date": DAY + 2 * ONE_DAY,
        "days_to_expiry": 2,
        "quantity": 7,
    }
    in_force, line = await row(session, Discount), await row(session, PriceDecision)
    del in_force["fingerprint"], line["id"]
    # The instant of the write by the database's clock, not the instant of the price.
    written_at = await session.scalar(select(func.now()))
    assert in_force == decided | {"opened_at": NOON, "changed_at": NOON, "updated_at": written_at}
    assert line == decided | {
        "decided_at": NOON,
        "kind": DecisionKind.OPENED,
        "close_reason": None,
        "store_id": await session.scalar(select(Store.id)),
        "product_id": product,
        "previous_price": None,
    }


async def test_a_closing_line_has_no_price_any_more_but_tells_the_one_that_ended(
    session: AsyncSession, version: int
) -> None:
    batch = await a_batch(session)
    await recompute(session)
    await recompute(session, 1)
    line = (await ledger(session, batch))[-1]
    assert (line.price, line.rate, line.rule, line.limits) == (None, None, None, 0)
    assert (line.previous_price, line.policy_version) == (Decimal("2.00"), version)
    assert (line.days_to_expiry, line.quantity) == (-1, 10)


async def test_expired_and_sold_out_batch_closes_as_expired(session: AsyncSession) -> None:
    batch = await a_batch(session)
    await recompute(session)
    await set_batch(session, batch, quantity=0)
    await recompute(session, 1)
    assert (await ledger(session, batch))[-1].close_reason == CloseReason.EXPIRED


async def test_closed_discount_is_not_considered_again(session: AsyncSession) -> None:
    await a_batch(session)
    await recompute(session)
    await recompute(session, 1)
    assert (await recompute_all_discounts(session, now=NOON + ONE_DAY)).considered == 0


async def test_a_held_price_names_the_rule_that_is_back_but_stays(session: AsyncSession) -> None:
    batch = await a_batch(session, expiry_date=DAY + 3 * ONE_DAY, quantity=60)
    await recompute(session)
    await set_batch(session, batch, quantity=40)
    assert await recompute(session) == (0, 1, 0)
    assert await recompute(session, 1) == (0, 1, 0)
    found = await discount(session, batch)
    assert (found.price, found.rule) == (Decimal("2.40"), "two days left")
    assert limits_from_mask(found.limits) == (Limit.HELD,)
    assert await recompute(session, 1) == (0, 0, 0)


async def test_a_new_expiry_date_lets_the_price_rise_and_the_next_one_be_held(
    session: AsyncSession,
) -> None:
    batch = await a_batch(session)
    await recompute(session)
    await set_batch(session, batch, expiry_date=DAY + 2 * ONE_DAY, quantity=60)
    assert await recompute(session) == (0, 1, 0)
    assert await open_price(session, batch) == Decimal("2.40")
    await set_batch(session, batch, quantity=10)
    await recompute(session)
    assert await open_price(session, batch) == Decimal("2.40"), "held: its own expiry date is known now"


async def test_a_discount_beyond_the_threshold_is_kept_in_line(session: AsyncSession) -> None:
    batch = await a_batch(session, expiry_date=DAY + 40 * ONE_DAY, quantity=500)
    assert await recompute(session) == (0, 0, 0)
    assert await recompute(session, threshold=60) == (1, 0, 0)
    await set_batch(session, batch, quantity=499)
    assert await recompute(session) == (0, 1, 0)
    assert limits_from_mask((await discount(session, batch)).limits) == (Limit.HELD,)


async def test_a_store_that_moves_to_another_zone_is_priced_by_its_new_date(session: AsyncSession) -> None:
    batch = await a_batch(session, expiry_date=DAY + ONE_DAY)
    await recompute(session)
    await session.execute(update(Store).values(time_zone="Pacific/Auckland"))
    assert await recompute(session) == (0, 1, 0)
    assert (await discount(session, batch)).days_to_expiry == 0


async def test_rule_names_are_told_as_they_are_written(session: AsyncSession) -> None:
    name = r"""it's 50% "off" \ :now; $1 -- %s {x}"""
    await an_active_policy(session, json.loads(json.dumps({"rules": [{"name": name, "discount": "0.5"}]})))
    batch = await a_batch(session)
    await recompute(session)
    assert (await discount(session, batch)).rule == name


async def test_categories_and_floors_of_their_own_decide(session: AsyncSession) -> None:
    own = {"floor_fraction": "0.60", "rules": [{"name": "own", "discount": "0.80"}]}
    document: dict[str, object] = {
        "max_discount": "0.90",
        "rules": [{"name": "all", "discount": "0.30"}],
        "categories": {"crème & co": own},
    }
    await an_active_policy(session, document)
    product = await a_product(session, base_price="10.00", category="  CRÈME & Co ")
    batch = await a_batch(session, product)
    await recompute(session)
    found = await discount(session, batch)
    assert (found.price, found.rule) == (Decimal("6.00"), "own")
    assert limits_from_mask(found.limits) == (Limit.FLOOR,)
    await session.execute(update(Product).where(Product.id == product).values(category_key="grocery"))
    assert await recompute(session) == (0, 1, 0)
    found = await discount(session, batch)
    assert (found.price, found.rule) == (Decimal("6.00"), "all"), "held: the new price would be higher"


async def test_more_batches_than_can_be_told_apart_at_once_are_refused(session: AsyncSession) -> None:
    with pytest.raises(InvalidInput, match="at once"):
        await recompute_batches(session, now=NOON, batch_ids=range(MAX_BATCHES_AT_ONCE + 1))

"""Every reader of prices takes the base price of the store, and the product's where it has none."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.store_price_tables import PriceListEntry
from flexiprice.db.tables import Batch, PriceSnapshot, Store
from flexiprice.domain.decision import CloseReason
from flexiprice.domain.shard import Shard
from flexiprice.pricing.batch_deletion import delete_batch
from flexiprice.pricing.cleanup import cleanup_expired_discounts
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.preview import preview_recompute
from flexiprice.pricing.price_history import get_price_history, update_price_history
from flexiprice.pricing.price_timeline import get_price_steps
from flexiprice.pricing.recompute import recompute_all_discounts, recompute_batches, recompute_shard
from flexiprice.pricing.stock_figures import list_stock_figures
from flexiprice.pricing.stock_value import list_expiring_stock, list_reduced_stock
from tests.support.builders import (
    DAY,
    NOON,
    a_batch,
    a_product,
    a_store,
    an_active_policy,
    date_base_price,
    ledger,
    open_price,
)
from tests.support.price_list import an_entry

ONE_DAY = timedelta(days=1)


class Shop:
    """Milk at 4.00, and at 6.00 in the store east, with a batch of each that is on its last day."""

    def __init__(self, product: int, east: int, batches: dict[str, int]) -> None:
        self.product = product
        self.east = east
        self.batches = batches


@pytest.fixture
async def shop(session: AsyncSession) -> Shop:
    await ensure_partitions(session, now=NOON)
    await an_active_policy(session)
    product = await a_product(session, sku="MILK", base_price="4.00")
    await a_store(session, "east", "UTC")
    east = (await session.execute(select(Store.id).where(Store.code == "east"))).scalar_one()
    await an_entry(session, product, east, "6.00", valid_from=DAY)
    batches = {store: await a_batch(session, product, store=store) for store in ("main", "east")}
    return Shop(product, east, batches)


async def _opened(session: AsyncSession, shop: Shop) -> dict[str, str]:
    return {store: str(await open_price(session, batch)) for store, batch in shop.batches.items()}


async def test_a_recompute_discounts_the_price_of_the_store(session: AsyncSession, shop: Shop) -> None:
    await recompute_all_discounts(session, now=NOON)
    assert await _opened(session, shop) == {"main": "2.00", "east": "3.00"}
    assert [str(line.base_price) for line in await ledger(session, shop.batches["east"])] == ["6.00"]


async def test_a_recompute_of_named_batches_applies_the_price_list_of_their_products(
    session: AsyncSession, shop: Shop
) -> None:
    await recompute_batches(session, now=NOON, batch_ids=[shop.batches["east"]])
    assert await open_price(session, shop.batches["east"]) == Decimal("3.00")


async def test_shards_price_by_store(session: AsyncSession, shop: Shop) -> None:
    await apply_price_list(session, now=NOON)
    for number in (1, 2):
        await recompute_shard(session, Shard(number, 2), now=NOON)
    assert await _opened(session, shop) == {"main": "2.00", "east": "3.00"}


async def test_a_price_of_next_week_is_discounted_next_week(session: AsyncSession, shop: Shop) -> None:
    monday = DAY + 7 * ONE_DAY
    later = await a_batch(session, shop.product, expiry_date=monday)
    await an_entry(session, shop.product, None, "5.00", valid_from=monday)
    await recompute_all_discounts(session, now=NOON)
    assert await open_price(session, later) is None
    await recompute_all_discounts(session, now=NOON + 7 * ONE_DAY)
    assert await open_price(session, later) == Decimal("2.50")


async def test_a_second_recompute_finds_nothing_to_do(session: AsyncSession, shop: Shop) -> None:
    await recompute_all_discounts(session, now=NOON)
    again = await recompute_all_discounts(session, now=NOON)
    assert (again.opened, again.changed, again.closed) == (0, 0, 0)


async def test_an_open_discount_follows_the_price_of_its_store(session: AsyncSession, shop: Shop) -> None:
    await recompute_all_discounts(session, now=NOON)
    await session.execute(delete(PriceListEntry))
    summary = await recompute_all_discounts(session, now=NOON)
    assert (summary.changed, summary.unchanged) == (1, 1)
    assert await _opened(session, shop) == {"main": "2.00", "east": "2.00"}


async def test_a_preview_quotes_the_price_of_the_store(session: AsyncSession, shop: Shop) -> None:
    await apply_price_list(session, now=NOON)
    preview = await preview_recompute(session, now=NOON)
    assert {change.store: (change.base_price, change.price) for change in preview.changes} == {
        "main": (Decimal("4.00"), Decimal("2.00")),
        "east": (Decimal("6.00"), Decimal("3.00")),
    }


async def test_the_price_of_a_product_is_told_by_store(session: AsyncSession, shop: Shop) -> None:
    await apply_price_list(session, now=NOON)
    found = {}
    for store in ("main", "east"):
        price = await get_price(session, sku="MILK", store=store, now=NOON)
        found[store] = (str(price.base_price), str(price.lowest_price))
    assert found == {"main": ("4.00", "4.00"), "east": ("6.00", "6.00")}


async def test_a_discount_above_the_new_price_of_its_store_is_not_in_force(
    session: AsyncSession, shop: Shop
) -> None:
    await recompute_all_discounts(session, now=NOON)
    await an_entry(session, shop.product, shop.east, "1.00", valid_from=DAY)
    await apply_price_list(session, now=NOON)
    price = await get_price(session, sku="MILK", store="east", now=NOON)
    assert (price.base_price, price.lowest_price) == (Decimal("1.00"), Decimal("1.00"))
    slot = await update_price_history(session, slot_at=NOON, now=NOON)
    assert slot.recorded == 1, "that of main"


async def test_lowest_and_base_prices_are_those_of_the_store(session: AsyncSession, shop: Shop) -> None:
    await date_base_price(session, shop.product, NOON - 40 * ONE_DAY)
    await apply_price_list(session, now=NOON)
    await date_base_price(session, shop.product, NOON - 35 * ONE_DAY, store_id=shop.east)
    east = await get_price_history(session, sku="MILK", store="east", now=NOON, start=date(2026, 1, 1))
    main = await get_price_history(session, sku="MILK", store="main", now=NOON)
    assert (str(main.lowest_30_days), str(east.lowest_30_days)) == ("4.00", "6.00")
    assert [(str(step.price), step.valid_from) for step in east.base_prices] == [
        ("4.00", NOON - 40 * ONE_DAY),
        ("6.00", NOON - 35 * ONE_DAY),
    ]
    steps = await get_price_steps(session, sku="MILK", store="east", since=NOON - 60 * ONE_DAY)
    assert (str(steps.base_price), [str(step.price) for step in steps.base_prices]) == (
        "6.00",
        ["4.00", "6.00"],
    )


async def test_the_price_before_the_stores_own_counts_for_thirty_days(
    session: AsyncSession, shop: Shop
) -> None:
    await date_base_price(session, shop.product, NOON - 40 * ONE_DAY)
    await apply_price_list(session, now=NOON)
    await date_base_price(session, shop.product, NOON - ONE_DAY, store_id=shop.east)
    await recompute_all_discounts(session, now=NOON)
    price = await get_price(session, sku="MILK", store="east", now=NOON)
    assert price.reduction is not None
    assert price.reduction.prior_price == Decimal("4.00"), "until yesterday it cost that in east, too"


async def test_a_slot_and_the_return_from_it_have_the_price_of_the_store(
    session: AsyncSession, shop: Shop
) -> None:
    async def rows(slot: datetime) -> list[tuple[str, str]]:
        query = select(PriceSnapshot.price, PriceSnapshot.base_price).where(
            PriceSnapshot.store_id == shop.east, PriceSnapshot.slot_at == slot
        )
        return [(str(price), str(base)) for price, base in await session.execute(query)]

    await recompute_all_discounts(session, now=NOON)
    await update_price_history(session, slot_at=NOON, now=NOON)
    assert await rows(NOON) == [("3.00", "6.00")]
    next_slot = NOON + timedelta(hours=6)
    await delete_batch(session, shop.batches["east"], now=NOON)
    await update_price_history(session, slot_at=next_slot, now=next_slot)
    assert await rows(next_slot) == [("6.00", "6.00")]


async def test_figures_of_stock_count_at_the_price_of_the_store(session: AsyncSession, shop: Shop) -> None:
    await recompute_all_discounts(session, now=NOON)
    figures = {each.store: each for each in await list_stock_figures(session, now=NOON, horizon=3)}
    assert (figures["east"].at_risk, figures["east"].reduced_by) == (Decimal("60.00"), Decimal("30.00"))
    assert figures["main"].at_risk == Decimal("40.00")
    reduced = {each.store: each.value_at_base for each in await list_reduced_stock(session, now=NOON)}
    assert reduced == {"main": Decimal("40.00"), "east": Decimal("60.00")}
    expiring = await list_expiring_stock(session, now=NOON, store="east")
    assert {each.value_at_base for each in expiring} == {Decimal("60.00")}


async def test_closed_discounts_return_to_the_price_of_the_store(session: AsyncSession, shop: Shop) -> None:
    await recompute_all_discounts(session, now=NOON)
    await session.execute(Batch.__table__.update().values(quantity=0))
    await cleanup_expired_discounts(session, now=NOON, history_retention_days=400)
    closed = (await ledger(session, shop.batches["east"]))[-1]
    assert (closed.close_reason, closed.base_price) == (CloseReason.SOLD_OUT, Decimal("6.00"))

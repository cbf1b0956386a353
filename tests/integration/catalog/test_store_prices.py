"""The price list of a day comes into force by store, and each change of it is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.products import delete_product
from flexiprice.catalog.store_prices import apply_price_list, has_store_prices
from flexiprice.catalog.stores import delete_store
from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.store_price_tables import PriceListEntry, StorePrice
from flexiprice.db.tables import Store
from tests.support.builders import DAY, NOON, a_batch, a_product, a_store
from tests.support.price_list import an_entry

ONE_DAY = timedelta(days=1)


async def _store(session: AsyncSession, code: str) -> int:
    return (await session.execute(select(Store.id).where(Store.code == code))).scalar_one()


async def _in_force(session: AsyncSession) -> dict[str, str]:
    query = select(Store.code, StorePrice.price).join(StorePrice, StorePrice.store_id == Store.id)
    return {code: str(price) for code, price in await session.execute(query)}


async def _history(session: AsyncSession, product: int, store: int) -> list[str | None]:
    query = (
        select(BasePrice.price)
        .where(BasePrice.product_id == product, BasePrice.store_id == store)
        .order_by(BasePrice.valid_from)
    )
    return [None if price is None else str(price) for price in await session.scalars(query)]


async def _age(session: AsyncSession) -> None:
    """Makes every row of the history one of an earlier transaction, of a day ago."""
    await session.execute(
        update(BasePrice).values(transaction_id=0, valid_from=BasePrice.valid_from - ONE_DAY)
    )


async def test_an_entry_holds_from_its_first_to_its_last_day(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    await an_entry(session, product, main, "3.00", valid_from=DAY, valid_until=DAY + ONE_DAY)
    found = []
    for days in range(-1, 3):
        await apply_price_list(session, now=NOON + days * ONE_DAY)
        found.append((await _in_force(session)).get("main"))
    assert found == [None, "3.00", "3.00", None]


async def test_a_day_begins_at_the_stores_midnight(session: AsyncSession) -> None:
    product = await a_product(session)
    await a_store(session, "auckland", "Pacific/Auckland")
    await an_entry(session, product, None, "3.00", valid_from=DAY + ONE_DAY)
    await apply_price_list(session, now=NOON)
    assert await _in_force(session) == {"auckland": "3.00"}, "at noon UTC it is the next day there"
    await apply_price_list(session, now=NOON + ONE_DAY)
    assert await _in_force(session) == {"auckland": "3.00", "main": "3.00"}


async def test_a_stores_own_entry_comes_before_one_of_all_stores(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    await a_store(session, "east", "UTC")
    await an_entry(session, product, main, "3.00", valid_from=DAY - 9 * ONE_DAY)
    await an_entry(session, product, None, "2.00", valid_from=DAY)
    await apply_price_list(session, now=NOON)
    assert await _in_force(session) == {"main": "3.00", "east": "2.00"}


async def test_of_two_entries_the_one_that_begins_last_holds(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    await an_entry(session, product, main, "3.00", valid_from=DAY - ONE_DAY)
    await an_entry(session, product, main, "2.50", valid_from=DAY, valid_until=DAY)
    await apply_price_list(session, now=NOON)
    assert await _in_force(session) == {"main": "2.50"}
    await apply_price_list(session, now=NOON + ONE_DAY)
    assert await _in_force(session) == {"main": "3.00"}


async def test_only_named_products_and_those_of_named_batches_change(session: AsyncSession) -> None:
    products = [await a_product(session) for _ in range(3)]
    for product in products:
        await an_entry(session, product, None, "3.00", valid_from=DAY)
    await apply_price_list(session, now=NOON, product_ids=[products[0]])
    await apply_price_list(session, now=NOON, batch_ids=[await a_batch(session, products[1])])
    assert set(await session.scalars(select(StorePrice.product_id))) == set(products[:2])


async def test_applying_the_list_returns_whether_any_store_has_its_own_price(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    assert not await apply_price_list(session, now=NOON)
    assert not await has_store_prices(session)
    await an_entry(session, product, main, "3.00", valid_from=DAY)
    assert await apply_price_list(session, now=NOON)
    assert await apply_price_list(session, now=NOON), "though nothing changes"
    assert await has_store_prices(session)


async def test_each_change_is_kept_and_an_end_leaves_the_price_of_all_stores(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    entry = await an_entry(session, product, main, "3.00", valid_from=DAY)
    await apply_price_list(session, now=NOON)
    await _age(session)
    await apply_price_list(session, now=NOON)
    await session.execute(update(PriceListEntry).where(PriceListEntry.id == entry).values(price="3.50"))
    await apply_price_list(session, now=NOON)
    await _age(session)
    await session.execute(delete(PriceListEntry))
    await apply_price_list(session, now=NOON)
    assert await _history(session, product, main) == ["3.00", "3.50", None]


async def test_a_price_that_only_one_transaction_saw_is_not_kept(session: AsyncSession) -> None:
    product, main = await a_product(session), await _store(session, "main")
    for price in ("0.01", "9.00", "3.00"):
        await an_entry(session, product, main, price, valid_from=DAY)
        await apply_price_list(session, now=NOON)
    assert await _history(session, product, main) == ["3.00"]


async def test_prices_go_with_their_product_and_their_store(session: AsyncSession) -> None:
    product, kept = await a_product(session, sku="MILK"), await a_product(session)
    await a_store(session, "east", "UTC")
    main, east = await _store(session, "main"), await _store(session, "east")
    for each in (product, kept):
        await an_entry(session, each, None, "3.00", valid_from=DAY)
    await apply_price_list(session, now=NOON)
    await _age(session)
    await delete_store(session, "east")
    await delete_product(session, "MILK")
    assert await _in_force(session) == {"main": "3.00"}
    assert await _history(session, product, main) == ["3.00", None]
    assert await _history(session, kept, east) == ["3.00", None]


async def test_truncated_products_leave_no_prices(session: AsyncSession) -> None:
    await an_entry(session, await a_product(session), None, "3.00", valid_from=DAY)
    await apply_price_list(session, now=NOON)
    await session.execute(text("TRUNCATE products RESTART IDENTITY CASCADE"))
    for table in (PriceListEntry, StorePrice, BasePrice):
        assert await session.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize(
    ("valid_from", "valid_until"),
    [("2026-03-10", "2026-03-09"), ("-infinity", None), ("2026-03-10", "infinity")],
    ids=["ends before it begins", "no beginning", "infinity as an end"],
)
async def test_the_database_refuses_days_that_are_none(
    session: AsyncSession, valid_from: str, valid_until: str | None
) -> None:
    product = await a_product(session)
    insert = text(
        "INSERT INTO price_list (product_id, valid_from, valid_until, price)"
        " VALUES (:product, CAST(CAST(:begins AS text) AS date), CAST(CAST(:ends AS text) AS date), 1)"
    )
    with pytest.raises(IntegrityError, match="ck_price_list_valid"):
        await session.execute(insert, {"product": product, "begins": valid_from, "ends": valid_until})


async def test_two_that_apply_the_same_list_wait_for_each_other(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as setup, setup.begin():
        for _ in range(50):
            await an_entry(setup, await a_product(setup), None, "3.00", valid_from=DAY)

    async def apply() -> None:
        async with AsyncSession(engine) as session, session.begin():
            await apply_price_list(session, now=datetime(2026, 3, 10, 12, tzinfo=UTC))

    await asyncio.gather(*(apply() for _ in range(5)))
    async with AsyncSession(engine) as session:
        found = select(func.count()).select_from(StorePrice).where(StorePrice.price == Decimal("3.00"))
        assert await session.scalar(found) == 50

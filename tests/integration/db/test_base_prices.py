"""The history of base prices: one row for each change by any program, in its transaction."""

import asyncio
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.products import change_product, create_product, delete_product
from flexiprice.db.base_price_tables import BasePrice, DeletedBatch
from flexiprice.db.tables import Batch, Product
from tests.support.builders import a_batch, a_product

_LOCK_WAITERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def prices(session: AsyncSession, product_id: int) -> list[str | None]:
    """The recorded base prices of a product in their order; None where it was deleted."""
    query = select(BasePrice.price).where(BasePrice.product_id == product_id).order_by(BasePrice.valid_from)
    return [None if price is None else str(price) for price in await session.scalars(query)]


async def _id(session: AsyncSession, sku: str) -> int:
    return (await session.execute(select(Product.id).where(Product.sku == sku))).scalar_one()


async def _age(session: AsyncSession) -> None:
    """Makes every row one of an earlier transaction, of a day ago."""
    await session.execute(
        update(BasePrice).values(transaction_id=0, valid_from=BasePrice.valid_from - text("interval '1 day'"))
    )


async def test_services_record_each_price_once(session: AsyncSession) -> None:
    await create_product(session, sku="MILK", name="Milk", category="Dairy", base_price=Decimal("2.00"))
    product = await _id(session, "MILK")
    await _age(session)
    await change_product(session, "MILK", {"base_price": Decimal("3.00")})
    await change_product(session, "MILK", {"base_price": Decimal("3.00"), "name": "Whole milk"})
    await change_product(session, "MILK", {"category": "Drinks"})
    assert await prices(session, product) == ["2.00", "3.00"]


async def test_import_records_new_and_changed_prices_and_no_unchanged_one(session: AsyncSession) -> None:
    header = "sku,name,category,base_price,quantity,expiry_date\n"
    first = header + "A,a,c,1.00,5,2030-01-01\nB,b,c,2.00,5,2030-01-01\n"
    second = header + "A,a,c,1.50,5,2030-01-01\nB,new name,c,2.00,5,2030-01-01\nC,c,c,4.00,5,2030-01-01\n"
    for content in (first, second):
        await import_catalogue(session, [content.encode()])
        await _age(session)
    found = [await prices(session, await _id(session, sku)) for sku in "ABC"]
    assert found == [["1.00", "1.50"], ["2.00"], ["4.00"]]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE products SET base_price = 3 WHERE id = :id",
        """
        INSERT INTO products (sku, name, category, category_key, base_price)
        SELECT sku, name, category, category_key, 3 FROM products WHERE id = :id
        ON CONFLICT (sku) DO UPDATE SET base_price = EXCLUDED.base_price
        """,
        "MERGE INTO products USING (SELECT 1) AS one ON id = :id WHEN MATCHED THEN UPDATE SET base_price = 3",
    ],
)
async def test_plain_sql_is_recorded_too(session: AsyncSession, statement: str) -> None:
    product = await a_product(session, base_price="2.00")
    await _age(session)
    await session.execute(text(statement), {"id": product})
    assert await prices(session, product) == ["2.00", "3.00"]


async def test_prices_that_only_one_transaction_saw_are_not_recorded(session: AsyncSession) -> None:
    product = await a_product(session, base_price="2.00")
    await _age(session)
    for price in ("0.01", "9.00", "3.00"):
        async with session.begin_nested():
            await session.execute(update(Product).where(Product.id == product).values(base_price=price))
    assert await prices(session, product) == ["2.00", "3.00"]


async def test_change_that_is_rolled_back_leaves_no_row(session: AsyncSession) -> None:
    product = await a_product(session, base_price="2.00")
    nested = await session.begin_nested()
    await session.execute(update(Product).values(base_price="1.00"))
    await nested.rollback()
    assert await prices(session, product) == ["2.00"]


async def test_one_statement_records_many_products(session: AsyncSession) -> None:
    ids = [await a_product(session, base_price="2.00") for _ in range(20)]
    await _age(session)
    await session.execute(
        update(Product).where(Product.id.in_(ids[:10])).values(base_price=Product.base_price + 1)
    )
    assert [await prices(session, product) for product in ids] == 10 * [["2.00", "3.00"]] + 10 * [["2.00"]]


async def test_clock_that_is_set_back_changes_no_order(session: AsyncSession) -> None:
    product = await a_product(session, base_price="2.00")
    await session.execute(
        update(BasePrice).values(transaction_id=0, valid_from=func.now() + text("interval '1 hour'"))
    )
    await session.execute(update(Product).where(Product.id == product).values(base_price="3.00"))
    assert await prices(session, product) == ["2.00", "3.00"]


async def test_deleted_product_ends_its_history(session: AsyncSession) -> None:
    await create_product(session, sku="MILK", name="Milk", category="Dairy", base_price=Decimal("2.00"))
    product = await _id(session, "MILK")
    await _age(session)
    await delete_product(session, "MILK")
    await create_product(session, sku="MILK", name="Milk", category="Dairy", base_price=Decimal("5.00"))
    assert await prices(session, product) == ["2.00", None]
    assert await prices(session, await _id(session, "MILK")) == ["5.00"]


async def test_truncated_products_leave_no_history_to_those_that_get_their_ids(session: AsyncSession) -> None:
    await a_product(session)
    await session.execute(text("TRUNCATE products RESTART IDENTITY CASCADE"))
    assert await session.scalar(select(func.count()).select_from(BasePrice)) == 0
    assert await prices(session, await a_product(session, base_price="7.00")) == ["7.00"]


async def test_restore_of_data_alone_runs_the_triggers_without_a_search_path(session: AsyncSession) -> None:
    batch = await a_batch(session, await a_product(session, sku="MILK"))
    await session.execute(text("SET LOCAL search_path = ''"))
    await session.execute(text("UPDATE public.products SET base_price = 9 WHERE sku = 'MILK'"))
    await session.execute(text(f"DELETE FROM public.batches WHERE id = {batch}"))
    await session.execute(text("SET LOCAL search_path = public"))
    assert await prices(session, await _id(session, "MILK")) == ["9.00"]


async def test_next_change_mends_a_history_that_was_written_around(session: AsyncSession) -> None:
    """Replication and `--disable-triggers` run no trigger; the next change records what they left out."""
    product = await a_product(session, base_price="2.00")
    await _age(session)
    await session.execute(text("SET LOCAL session_replication_role = replica"))
    await session.execute(update(Product).where(Product.id == product).values(base_price="3.00"))
    assert await prices(session, product) == ["2.00"]
    await session.execute(text("SET LOCAL session_replication_role = origin"))
    await session.execute(update(Product).where(Product.id == product).values(base_price=Product.base_price))
    assert await prices(session, product) == ["2.00", "3.00"]


async def test_deleted_batches_are_remembered(session: AsyncSession) -> None:
    product = await a_product(session)
    batch, kept = await a_batch(session, product), await a_batch(session, product)
    await session.execute(delete(Batch).where(Batch.id == batch))
    found = await session.scalars(select(DeletedBatch.batch_id).where(DeletedBatch.product_id == product))
    assert list(found) == [batch]
    assert kept != batch


async def test_concurrent_changes_follow_the_order_of_their_commits(
    engine: AsyncEngine, session: AsyncSession
) -> None:
    """A transaction that began first and changes last must have the last row."""
    async with AsyncSession(engine) as setup, setup.begin():
        product = await a_product(setup, base_price="1.00")
    async with AsyncSession(engine) as early, early.begin():
        await early.execute(select(func.now()))

        async def change(price: int) -> None:
            async with AsyncSession(engine) as other, other.begin():
                await other.execute(update(Product).where(Product.id == product).values(base_price=price))

        await asyncio.gather(*(change(price) for price in range(2, 42)))
        await early.execute(update(Product).where(Product.id == product).values(base_price="99.00"))
    found = await prices(session, product)
    assert (len(found), found[0], found[-1]) == (42, "1.00", "99.00")
    assert sorted(float(price or 0) for price in found) == [*range(1, 42), 99]
    instants = list(await session.scalars(select(BasePrice.valid_from).order_by(BasePrice.valid_from)))
    assert len(set(instants)) == len(instants), "no two rows of a product hold at once"


async def test_statement_that_waited_for_another_is_recorded_after_it(
    engine: AsyncEngine, session: AsyncSession, database_url: str
) -> None:
    async with AsyncSession(engine) as setup, setup.begin():
        product = await a_product(setup, base_price="1.00")
    watcher = await asyncpg.connect(database_url)
    async with AsyncSession(engine) as first, AsyncSession(engine) as second:
        await first.execute(update(Product).where(Product.id == product).values(base_price="2.00"))
        waiting = asyncio.create_task(
            second.execute(update(Product).where(Product.id == product).values(base_price="3.00"))
        )
        while not await watcher.fetchval(_LOCK_WAITERS):  # noqa: ASYNC110 - a server, not an event
            await asyncio.sleep(0.01)
        await first.commit()
        await waiting
        await second.commit()
    await watcher.close()
    assert await prices(session, product) == ["1.00", "2.00", "3.00"]

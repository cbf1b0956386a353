"""The sample can be loaded day after day, and changed in between."""

from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.sample import load_sample_catalog
from flexiprice.db.tables import Batch, Product

TODAY = date(2030, 5, 14)


async def batches(session: AsyncSession) -> list[tuple[int, date, int]]:
    query = select(Batch.id, Batch.expiry_date, Batch.quantity).order_by(Batch.id)
    return [tuple(row) for row in await session.execute(query)]


async def test_sample_fills_the_main_store(session: AsyncSession) -> None:
    summary = await load_sample_catalog(session, today=TODAY)
    assert summary.products == await session.scalar(select(func.count()).select_from(Product)) >= 60
    assert summary.batches == len(await batches(session)) >= 2 * summary.products
    assert (
        summary.categories == await session.scalar(select(func.count(Product.category_key.distinct()))) >= 8
    )
    assert await session.scalar(select(func.min(Batch.expiry_date))) == TODAY


async def test_sample_loaded_again_moves_its_dates_and_adds_nothing(session: AsyncSession) -> None:
    await load_sample_catalog(session, today=TODAY)
    before = await batches(session)
    await session.execute(update(Batch).values(quantity=0))
    await load_sample_catalog(session, today=TODAY + timedelta(days=3))
    assert await batches(session) == [
        (batch_id, expiry_date + timedelta(days=3), quantity) for batch_id, expiry_date, quantity in before
    ]


async def test_sample_loaded_again_leaves_changed_prices_alone(session: AsyncSession) -> None:
    await load_sample_catalog(session, today=TODAY)
    await session.execute(update(Product).values(base_price=Decimal("77.77")))
    await load_sample_catalog(session, today=TODAY)
    assert set(await session.scalars(select(Product.base_price))) == {Decimal("77.77")}

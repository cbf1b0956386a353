"""Events of weighed products, and events from before a product's unit changed."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.products import change_product
from flexiprice.db.tables import Batch, Product
from flexiprice.domain.quantity import Unit
from tests.support.builders import DAY, NOON, a_batch, a_product
from tests.support.import_files import load
from tests.support.stock_events import a_count, an_event, record


async def quantity(session: AsyncSession) -> Decimal | None:
    return await session.scalar(select(func.sum(Batch.quantity)))


async def test_a_sale_of_a_weighed_product_lowers_its_stock_by_the_weight(session: AsyncSession) -> None:
    product = await a_product(session, sku="CHEESE")
    await session.execute(update(Product).values(unit=Unit.KG))
    await a_batch(session, product, quantity=12)
    later = NOON + timedelta(days=9999)
    result = await record(session, an_event("1", sku="CHEESE", units="0.275", at=later, expiry_date=DAY))
    assert (result.recorded, result.bad) == (1, [])
    assert await quantity(session) == Decimal("11.725")


async def test_a_count_in_the_old_unit_does_not_hold_after_the_unit_changed(session: AsyncSession) -> None:
    product = await a_product(session, sku="CHEESE")
    await a_batch(session, product, quantity=0)
    await change_product(session, "CHEESE", {"unit": Unit.KG})
    result = await record(session, a_count("1", 12, sku="CHEESE"))
    assert result.already_counted == 1
    assert await quantity(session) == 0


async def test_a_count_in_the_old_unit_does_not_hold_after_an_import_of_a_new_one(
    session: AsyncSession,
) -> None:
    product = await a_product(session, sku="CHEESE")
    await a_batch(session, product, quantity=0)
    header = "sku,name,category,base_price,unit,quantity,expiry_date"
    await load(session, f"{header}\nCHEESE,Gouda,Dairy,18.90,kg,0,2020-01-01\n")
    result = await record(session, a_count("1", 12, sku="CHEESE"))
    assert result.already_counted == 1
    assert await quantity(session) == 0

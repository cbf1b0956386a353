"""Builders of rows: one call a row, with a default for every column that a test leaves out."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.base_price_tables import ALL_STORES, BasePrice
from flexiprice.db.tables import MAIN_STORE, Batch, Discount, PriceDecision, Product, Store
from flexiprice.domain.category import category_key
from flexiprice.domain.policy import parse_policy
from flexiprice.pricing.policy_versions import activate_policy, create_policy

_NUMBERS = count(1)
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

HALF_OFF_ON_THE_LAST_DAY: dict[str, object] = {
    "rules": [{"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"}]
}


async def a_store(session: AsyncSession, code: str, time_zone: str) -> str:
    await session.execute(insert(Store).values(code=code, time_zone=time_zone))
    return code


async def a_product(
    session: AsyncSession,
    *,
    base_price: str = "4.00",
    unit_cost: str | None = None,
    category: str = "Bakery",
    sku: str | None = None,
) -> int:
    name = sku or f"SKU-{next(_NUMBERS)}"
    row = {
        "sku": name,
        "name": f"product {name}",
        "category": category,
        "category_key": category_key(category),
        "base_price": Decimal(base_price),
        "unit_cost": None if unit_cost is None else Decimal(unit_cost),
    }
    return (await session.execute(insert(Product).values(row).returning(Product.id))).scalar_one()


async def a_batch(
    session: AsyncSession,
    product_id: int | None = None,
    *,
    expiry_date: date = DAY,
    quantity: int = 10,
    store: str = MAIN_STORE,
) -> int:
    row = {
        "store_id": select(Store.id).where(Store.code == store).scalar_subquery(),
        "product_id": product_id if product_id is not None else await a_product(session),
        "lot": f"lot {next(_NUMBERS)}",
        "quantity": quantity,
        "expiry_date": expiry_date,
    }
    return (await session.execute(insert(Batch).values(row).returning(Batch.id))).scalar_one()


async def an_active_policy(
    session: AsyncSession, document: dict[str, object] = HALF_OFF_ON_THE_LAST_DAY
) -> int:
    stored = await create_policy(session, parse_policy(document))
    return (await activate_policy(session, stored.version, now=NOON)).version


async def date_base_price(
    session: AsyncSession, product_id: int, valid_from: datetime, *, store_id: int = ALL_STORES
) -> None:
    """Moves the latest base price of a product to an instant, as if it had been written then."""
    rows = and_(BasePrice.product_id == product_id, BasePrice.store_id == store_id)
    latest = select(func.max(BasePrice.valid_from)).where(rows).scalar_subquery()
    await session.execute(
        update(BasePrice)
        .where(rows, BasePrice.valid_from == latest)
        .values(valid_from=valid_from, transaction_id=0)
    )


async def open_price(session: AsyncSession, batch_id: int) -> Decimal | None:
    return await session.scalar(select(Discount.price).where(Discount.batch_id == batch_id))


async def ledger(session: AsyncSession, batch_id: int) -> list[PriceDecision]:
    query = select(PriceDecision).where(PriceDecision.batch_id == batch_id)
    ordered = query.order_by(PriceDecision.decided_at, PriceDecision.id)
    return list(await session.scalars(ordered.execution_options(populate_existing=True)))

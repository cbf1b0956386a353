"""Lists and deletes single entries of the price list."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.catalog.stores import get_store
from flexiprice.db.audit_notes import note_change
from flexiprice.db.locks import Lock, acquire
from flexiprice.db.store_price_tables import PriceListEntry
from flexiprice.db.tables import Product, Store
from flexiprice.domain.audit import changes_between
from flexiprice.errors import NotFound


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """An entry of the price list.

    Attributes:
        price_id: its id.
        sku: the product.
        store: the store's code; None for all stores.
        price: the base price of a unit.
        valid_from: the first day, a local date of the store.
        valid_until: the last day; None without an end.
        created_at: when it was written first.
    """

    price_id: int
    sku: str
    store: str | None
    price: Decimal
    valid_from: date
    valid_until: date | None
    created_at: datetime


_AUDITED = ("price", "valid_from", "valid_until")


async def list_prices(
    session: AsyncSession,
    *,
    sku: str | None = None,
    store: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> tuple[PriceRecord, ...]:
    """Lists entries by id, past and planned ones too.

    Args:
        session: in a transaction.
        sku: only entries of this product.
        store: only entries of the store with this code, or of all stores.
        after: only entries after this id.
        limit: the maximum number.

    Raises:
        NotFound: the store does not exist.
    """
    query = _entries().order_by(PriceListEntry.id).limit(limit)
    if sku is not None:
        query = query.where(Product.sku == sku)
    if store is not None:
        code = (await get_store(session, store)).code
        query = query.where(or_(Store.code == code, PriceListEntry.store_id.is_(None)))
    if after is not None:
        query = query.where(PriceListEntry.id > after)
    return tuple(PriceRecord(*row) for row in await session.execute(query))


async def delete_price(session: AsyncSession, price_id: int, *, now: datetime) -> PriceRecord:
    """Deletes an entry, and brings the prices in force of its product up to date.

    Raises:
        NotFound: it does not exist.
    """
    await acquire(session, Lock.STORE_PRICES)
    row = (await session.execute(_entries().where(PriceListEntry.id == price_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no price {price_id}", field="price_id")
    deleted = delete(PriceListEntry).where(PriceListEntry.id == price_id).returning(PriceListEntry.product_id)
    product_id = (await session.execute(deleted)).scalar_one_or_none()
    entry = PriceRecord(*row)
    if product_id is not None:
        await apply_price_list(session, now=now, product_ids=[product_id])
    where = "all stores" if entry.store is None else entry.store
    note_change(session, f"{entry.sku} in {where}", changes_between(entry, None, _AUDITED))
    return entry


def _entries() -> Select[*tuple[Any, ...]]:
    entry = PriceListEntry
    return (
        select(
            entry.id,
            Product.sku,
            Store.code,
            entry.price,
            entry.valid_from,
            entry.valid_until,
            entry.created_at,
        )
        .select_from(entry)
        .join(Product, Product.id == entry.product_id)
        .outerjoin(Store, Store.id == entry.store_id)
    )

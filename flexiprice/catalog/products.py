"""Products: created, read, changed, deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Row, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.constraints import fk_violation_as, unique_violation_as
from flexiprice.catalog.product_gtins import gtins_of_product, set_gtins
from flexiprice.catalog.stock import state_stock_of_product
from flexiprice.db.audit_notes import note_change
from flexiprice.db.gtin_tables import ProductGtin
from flexiprice.db.locks import Lock, acquire_shared
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.audit import changes_between
from flexiprice.domain.category import category_key
from flexiprice.domain.gtin import gtin_14
from flexiprice.domain.quantity import Unit
from flexiprice.errors import Conflict, NotFound
from flexiprice.plurals import counted


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product; amounts in the installation's currency, `unit_cost` None where it is not known.

    Amounts are those of one `unit`. `gtins` have 14 digits each, in order.
    """

    sku: str
    name: str
    category: str
    base_price: Decimal
    unit_cost: Decimal | None
    unit: Unit
    gtins: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class ProductChanges(TypedDict, total=False):
    """The fields to change, each left out where it is to stay; `gtins` are all that it then has."""

    sku: str
    name: str
    category: str
    base_price: Decimal
    unit_cost: Decimal | None
    unit: Unit
    gtins: Sequence[str]


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A product after a change, and whether the change can move its batches' prices."""

    product: ProductRecord
    affects_prices: bool


_COLUMNS = (
    Product.sku,
    Product.name,
    Product.category,
    Product.base_price,
    Product.unit_cost,
    Product.unit,
    gtins_of_product(),
    Product.created_at,
    Product.updated_at,
)


_AUDITED = ("name", "category", "base_price", "unit_cost", "unit", "gtins")


async def create_product(
    session: AsyncSession,
    *,
    sku: str,
    name: str,
    category: str,
    base_price: Decimal,
    unit_cost: Decimal | None = None,
    unit: Unit = Unit.EACH,
    gtins: Sequence[str] = (),
) -> ProductRecord:
    """Adds a product.

    Raises:
        Conflict: a product has that SKU or one of the GTINs.
    """
    product_id = await session.scalar(
        insert(Product)
        .values(
            sku=sku,
            name=name,
            category=category,
            category_key=category_key(category),
            base_price=base_price,
            unit_cost=unit_cost,
            unit=unit,
        )
        .on_conflict_do_nothing(index_elements=[Product.sku])
        .returning(Product.id)
    )
    if product_id is None:
        raise _taken(sku)
    await set_gtins(session, product_id, gtins)
    product = await get_product(session, sku)
    note_change(session, sku, changes_between(None, product, _AUDITED))
    return product


async def get_product(session: AsyncSession, sku: str) -> ProductRecord:
    """The product with a SKU.

    Raises:
        NotFound: there is none.
    """
    row = (await session.execute(select(*_COLUMNS).where(Product.sku == sku))).one_or_none()
    if row is None:
        raise _no_product(sku)
    return _record(row)


async def list_products(
    session: AsyncSession,
    *,
    category: str | None = None,
    search: str | None = None,
    changed_since: datetime | None = None,
    after: str | None = None,
    limit: int = 100,
) -> tuple[ProductRecord, ...]:
    """Products by SKU.

    Args:
        session: in a transaction.
        category: only this category, in any spelling.
        search: only products whose SKU or name contains this text, in any case, or that have this GTIN.
        changed_since: only those that changed then or later.
        after: only those after this SKU.
        limit: at most so many.
    """
    query = select(*_COLUMNS).order_by(Product.sku).limit(limit)
    if category is not None:
        query = query.where(Product.category_key == category_key(category))
    if search is not None:
        query = query.where(
            or_(
                Product.sku.icontains(search, autoescape=True),
                Product.name.icontains(search, autoescape=True),
                *_has_gtin(search),
            )
        )
    if changed_since is not None:
        query = query.where(Product.updated_at >= changed_since)
    if after is not None:
        query = query.where(Product.sku > after)
    return tuple(_record(row) for row in await session.execute(query))


async def change_product(session: AsyncSession, sku: str, changes: ProductChanges) -> ProductChange:
    """Changes the given fields of a product.

    Raises:
        NotFound: there is no such product.
        Conflict: another product has the new SKU or one of the GTINs, or the unit changes and a batch has
            stock.
    """
    inputs = (Product.id, Product.category_key, Product.base_price, Product.unit_cost, Product.unit)
    if "unit" in changes:
        # An import may be counting stock in the old unit.
        await acquire_shared(session, Lock.IMPORTS)
    # A new unit also waits for those who are storing a batch, who lock the product's key.
    locked = select(*inputs).where(Product.sku == sku).with_for_update(key_share="unit" not in changes)
    before = (await session.execute(locked)).one_or_none()
    if before is None:
        raise _no_product(sku)
    if changes.get("unit", before.unit) != before.unit:
        await _require_no_stock(session, before.id, before.unit)
        # Earlier events counted in the old unit.
        await state_stock_of_product(session, before.id)
    if not changes:
        product = await get_product(session, sku)
        note_change(session, sku)
        return ProductChange(product, affects_prices=False)
    known = await get_product(session, sku)
    values: dict[str, object] = {**changes, "updated_at": func.now()}
    values.pop("gtins", None)
    if "category" in changes:
        values["category_key"] = category_key(changes["category"])
    with unique_violation_as(f"a product with SKU {changes.get('sku', sku)!r} already exists"):
        after = await session.execute(
            update(Product).where(Product.sku == sku).values(values).returning(*inputs)
        )
    if "gtins" in changes:
        await set_gtins(session, before.id, changes["gtins"])
    product = await get_product(session, changes.get("sku", sku))
    note_change(session, sku, changes_between(known, product, _AUDITED, named_by=("sku",)))
    return ProductChange(product, affects_prices=after.one() != before)


async def delete_product(session: AsyncSession, sku: str) -> None:
    """Removes a product on which nothing depends.

    Raises:
        NotFound: there is no such product.
        Conflict: it has batches or a price history.
    """
    locked = select(Product.id).where(Product.sku == sku).with_for_update()
    product_id = await session.scalar(locked)
    product = await get_product(session, sku)
    with fk_violation_as(f"the product {sku!r} still has batches or a price history"):
        await session.execute(delete(Product).where(Product.id == product_id))
    note_change(session, sku, changes_between(product, None, _AUDITED))


async def find_priced_batches(session: AsyncSession, sku: str, *, limit: int) -> tuple[int, ...]:
    """Batches of a product whose price may depend on it: with stock, or with a discount open."""
    has_price: ColumnElement[bool] = (Batch.quantity > 0) | (Discount.batch_id.is_not(None))
    query = (
        select(Batch.id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Discount, Discount.batch_id == Batch.id)
        .where(Product.sku == sku, has_price)
        .order_by(Batch.id)
        .limit(limit)
    )
    return tuple(await session.scalars(query))


_Columns = tuple[str, str, str, Decimal, Decimal | None, Unit, Sequence[str], datetime, datetime]


def _record(row: Row[*_Columns]) -> ProductRecord:
    sku, name, category, base_price, unit_cost, unit, gtins, *instants = row
    return ProductRecord(sku, name, category, base_price, unit_cost, unit, tuple(gtins), *instants)


async def _require_no_stock(session: AsyncSession, product_id: int, unit: Unit) -> None:
    stocked = select(func.count()).where(Batch.product_id == product_id, Batch.quantity > 0)
    if batches := await session.scalar(stocked):
        raise Conflict(
            f"the product has {counted(batches, 'batch')} with stock counted in {unit}: set them to 0, "
            "change the unit, then store the stock in the new one",
            field="unit",
        )


def _has_gtin(text: str) -> tuple[ColumnElement[bool], ...]:
    try:
        gtin = gtin_14(text)
    except PydanticCustomError:
        return ()
    return (exists().where(ProductGtin.product_id == Product.id, ProductGtin.gtin == gtin),)


def _taken(sku: str) -> Conflict:
    return Conflict(f"a product with SKU {sku!r} already exists", field="sku")


def _no_product(sku: str) -> NotFound:
    return NotFound(f"there is no product with SKU {sku!r}", field="sku")

"""The identity of a batch: its product, store, dates and stock, as every list of batches begins."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Date, Select, SQLColumnExpression, Subquery, case, literal, select

from flexiprice.db.tables import Batch, Product
from flexiprice.domain.category import category_key
from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.quantity import Unit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchIdentity:
    """A batch with its product and its days to expiry; base of the records that list batches.

    Attributes:
        batch_id: id of the batch.
        store: code of the store.
        sku: of the product.
        product: name of the product.
        category: of the product.
        lot: names the batch; if it is empty, the expiry date does.
        expiry_date: the last day of sale; None of goods without one.
        days_to_expiry: from the store's local date: 0 on the last day of sale, negative when expired; None
            without a date.
        quantity: stock in the unit.
        unit: of the product.
    """

    batch_id: int
    store: str
    sku: str
    product: str
    category: str
    lot: str
    expiry_date: date | None
    days_to_expiry: int | None
    quantity: Decimal
    unit: Unit


def identity_columns(
    *,
    store: SQLColumnExpression[str],
    days_to_expiry: SQLColumnExpression[int],
    expiry_date: SQLColumnExpression[date] = Batch.expiry_date,
    quantity: SQLColumnExpression[Decimal] = Batch.quantity,
) -> tuple[SQLColumnExpression[Any], ...]:
    """Returns the columns of `BatchIdentity` in its order.

    Args:
        store: code of the store.
        days_to_expiry: days to expiry.
        expiry_date: the last day of sale, if a table other than `Batch` has it.
        quantity: stock, if a table other than `Batch` has it.
    """
    named = (Product.sku, Product.name, Product.category)
    dated = (if_dated(expiry_date, expiry_date), if_dated(expiry_date, days_to_expiry))
    return (Batch.id, store, *named, Batch.lot, *dated, quantity, Product.unit)


def if_dated(
    expiry_date: SQLColumnExpression[date], value: SQLColumnExpression[T]
) -> ColumnElement[T | None]:
    """Returns a value of a batch, such as its expiry date; NULL if the batch has none."""
    return case((expiry_date < literal(NO_EXPIRY, Date), value))


def days_to_expiry(stores: Subquery) -> ColumnElement[int]:
    """Returns the days from the local dates of `stores` to the expiry date of a batch."""
    days: ColumnElement[Any] = Batch.expiry_date - stores.c.day
    return days


def select_batches(
    stores: Subquery,
    *further: SQLColumnExpression[Any],
    store: str | None = None,
    category: str | None = None,
    expiring_within: int | None = None,
) -> Select[*tuple[Any, ...]]:
    """Selects batches with product and store: the columns of `BatchIdentity`, then further ones.

    Args:
        stores: the stores with their local dates, of `local_dates`.
        *further: columns of tables that the caller joins.
        store: only batches in the store with this code.
        category: only batches of this category, in any spelling.
        expiring_within: the maximum of days to expiry; excludes expired batches.
    """
    days = days_to_expiry(stores)
    query = (
        select(*identity_columns(store=stores.c.code, days_to_expiry=days), *further)
        .select_from(Batch)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
    )
    if store is not None:
        query = query.where(stores.c.code == store)
    if category is not None:
        query = query.where(Product.category_key == category_key(category))
    if expiring_within is not None:
        query = query.where(days.between(0, expiring_within))
    return query

"""Creates, reads and changes batches."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batch_identity import BatchIdentity, select_batches
from flexiprice.catalog.constraints import unique_violation_as
from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.stock import note_movement, state_stock
from flexiprice.catalog.stores import require_store_id
from flexiprice.db.audit_notes import note_change
from flexiprice.db.tables import Batch, Product
from flexiprice.domain.audit import changes_between
from flexiprice.domain.expiry import NO_EXPIRY, expiry_words
from flexiprice.domain.quantity import (
    MAX_QUANTITY,
    Unit,
    format_quantity,
    require_countable,
    to_thousandths,
)
from flexiprice.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class BatchRecord(BatchIdentity):
    """A batch: the stock of one product in one store that has one lot, or without a lot one expiry date.

    `days_to_expiry` counts from the store's local date at the instant of reading.
    """

    created_at: datetime
    updated_at: datetime


class BatchChanges(TypedDict, total=False):
    """The fields to change; omitted fields stay. Quantities are in the product's unit.

    `quantity_delta` is added to the current stock, so concurrent changes are not lost.
    """

    lot: str
    expiry_date: date | None
    quantity: Decimal
    quantity_delta: Decimal


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """A filter of batches; None matches all.

    Attributes:
        store: code of the store.
        sku: of the product.
        category: of the product, in any spelling.
        expiring_within: maximum days from today to the expiry date; excludes expired batches.
        in_stock: whether any stock is left.
        changed_since: only batches that changed at this instant or later, or whose product did.
    """

    store: str | None = None
    sku: str | None = None
    category: str | None = None
    expiring_within: int | None = None
    in_stock: bool | None = None
    changed_since: datetime | None = None


_AUDITED = ("quantity",)
_NAMED_BY = ("lot", "expiry_date")


async def create_batch(
    session: AsyncSession,
    *,
    store: str,
    sku: str,
    lot: str,
    expiry_date: date | None,
    quantity: Decimal,
    now: datetime,
) -> BatchRecord:
    """Adds a batch; the quantity is in the product's unit. Goods without an expiry date have None.

    Raises:
        InvalidInput: the quantity is a fraction of a product in `each`.
        NotFound: the store or the product does not exist.
        Conflict: the store already has a batch of that product with that lot, or without a lot and with that
            expiry date.
    """
    store_id = await require_store_id(session, store)
    locked = select(Product.id, Product.unit).where(Product.sku == sku)
    product = (await session.execute(locked.with_for_update(read=True, key_share=True))).one_or_none()
    if product is None:
        raise NotFound(f"there is no product with SKU {sku!r}", field="sku")
    product_id, unit = product
    require_countable(quantity, unit, field="quantity")
    batch_id = await session.scalar(
        insert(Batch)
        .values(
            store_id=store_id,
            product_id=product_id,
            lot=lot,
            expiry_date=expiry_date or NO_EXPIRY,
            quantity=quantity,
        )
        .on_conflict_do_nothing()
        .returning(Batch.id)
    )
    if batch_id is None:
        raise Conflict(f"store {store!r} already has a batch of {sku!r} {_named(lot, expiry_date)}")
    batch = await get_batch(session, batch_id, now=now)
    note_batch_change(session, None, batch)
    return batch


async def get_batch(session: AsyncSession, batch_id: int, *, now: datetime) -> BatchRecord:
    """Returns a batch by id; its days to expiry count from `now`.

    Raises:
        NotFound: it does not exist.
    """
    row = (await session.execute(_batches(BatchFilter(), now).where(Batch.id == batch_id))).one_or_none()
    if row is None:
        raise no_batch(batch_id)
    return BatchRecord(*row)


async def list_batches(
    session: AsyncSession,
    chosen: BatchFilter,
    *,
    now: datetime,
    after: int | None = None,
    limit: int = 100,
) -> tuple[BatchRecord, ...]:
    """Lists up to `limit` batches by id, after the id `after`; days to expiry count from `now`.

    Raises:
        NotFound: the filter names a store that does not exist.
    """
    if chosen.store is not None:
        await require_store_id(session, chosen.store)
    query = _batches(chosen, now).order_by(Batch.id).limit(limit)
    if after is not None:
        query = query.where(Batch.id > after)
    return tuple(BatchRecord(*row) for row in await session.execute(query))


async def change_batch(
    session: AsyncSession, batch_id: int, changes: BatchChanges, *, now: datetime
) -> BatchRecord:
    """Changes the given fields of a batch.

    Raises:
        NotFound: the batch does not exist.
        InvalidInput: the stock would be a fraction of a product in `each`.
        Conflict: the stock would fall below zero or exceed the maximum, or another batch has that lot, or
            that expiry date and no lot either.
    """
    locked = select(Batch.quantity).where(Batch.id == batch_id).with_for_update(key_share=True)
    in_stock = await session.scalar(locked)
    if in_stock is None:
        raise no_batch(batch_id)
    unit = await _lock_unit(session, batch_id)
    known = await get_batch(session, batch_id, now=now)
    values: dict[str, object] = {**changes}
    if "expiry_date" in changes:
        values["expiry_date"] = changes["expiry_date"] or NO_EXPIRY
    if "quantity_delta" in changes:
        del values["quantity_delta"]
        delta = changes["quantity_delta"]
        require_countable(delta, unit, field="quantity_delta")
        values["quantity"] = _added(in_stock, delta, unit)
        await note_movement(session, batch_id, to_thousandths(delta), at=now)
    elif "quantity" in changes:
        require_countable(changes["quantity"], unit, field="quantity")
        await state_stock(session, batch_id, at=now)
    if values:
        name = _named(changes.get("lot", known.lot), changes.get("expiry_date", known.expiry_date))
        with unique_violation_as(f"store {known.store!r} has another batch of {known.sku!r} {name}"):
            await session.execute(
                update(Batch).where(Batch.id == batch_id).values({**values, "updated_at": func.now()})
            )
    batch = await get_batch(session, batch_id, now=now)
    note_batch_change(session, known, batch)
    return batch


def note_batch_change(session: AsyncSession, before: BatchRecord | None, after: BatchRecord | None) -> None:
    """Notes for the audit how a batch was and how it is; None where it is new or gone."""
    batch = before or after
    if batch is not None:
        lot = f", lot {batch.lot}" if batch.lot else ""
        day = f"expires {batch.expiry_date}" if batch.expiry_date else expiry_words(None)
        name = f"{batch.sku} in {batch.store}, {day}{lot}"
        changes = changes_between(before, after, _AUDITED, named_by=_NAMED_BY)
        note_change(session, name, changes, {"batch_id": batch.batch_id})


def _batches(chosen: BatchFilter, now: datetime) -> Select[*tuple[Any, ...]]:
    query = select_batches(
        local_dates(now),
        *(Batch.created_at, Batch.updated_at),
        store=chosen.store,
        category=chosen.category,
        expiring_within=chosen.expiring_within,
    )
    if chosen.sku is not None:
        query = query.where(Product.sku == chosen.sku)
    if chosen.in_stock is not None:
        query = query.where(Batch.quantity > 0 if chosen.in_stock else Batch.quantity == 0)
    if chosen.changed_since is not None:
        changed = func.greatest(Batch.updated_at, Product.updated_at)
        query = query.where(changed >= chosen.changed_since)
    return query


async def _lock_unit(session: AsyncSession, batch_id: int) -> Unit:
    """Returns the unit of a batch's product; it cannot change until the transaction ends."""
    product = select(Batch.product_id).where(Batch.id == batch_id).scalar_subquery()
    locked = select(Product.unit).where(Product.id == product).with_for_update(read=True, key_share=True)
    return (await session.execute(locked)).scalar_one()


def _named(lot: str, expiry_date: date | None) -> str:
    if lot:
        return f"with the lot {lot!r}"
    return f"without a lot that expires {expiry_date}" if expiry_date else "without lot and expiry date"


def _added(in_stock: Decimal, delta: Decimal, unit: Unit) -> Decimal:
    quantity = in_stock + delta
    if not 0 <= quantity <= MAX_QUANTITY:
        reason = "go below zero" if quantity < 0 else f"go above {MAX_QUANTITY}"
        raise Conflict(
            f"there are {format_quantity(in_stock, unit)} in stock: a change by {delta} would {reason}",
            field="quantity_delta",
        )
    return quantity


def no_batch(batch_id: int) -> NotFound:
    """Returns the error for a batch that does not exist."""
    return NotFound(f"there is no batch {batch_id}", field="batch_id")

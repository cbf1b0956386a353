"""The stock of batches: what was stated of it, at which instant, and what has moved it since.

The quantity of a batch is what was stated plus all movements after that instant, and at least zero; what
was sold beyond it is kept as `oversold`. So statements and movements may arrive in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, Integer, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.partitions import ensure_event_partitions

STATED_BY_EVENTS_ONLY: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
"""The statement of a batch that a delivery made: every event moves it, whenever it occurred."""


@dataclass(slots=True)
class StockLevel:
    """The stock of a batch that is locked.

    Attributes:
        batch_id: id of the batch.
        store_id: of its store.
        product_id: of its product.
        lot: of the batch; may be empty.
        expiry_date: the last day of sale.
        balance: thousandths in stock; negative if more was sold than was known.
        stated_at: the instant at which it was last stated.
    """

    batch_id: int
    store_id: int
    product_id: int
    lot: str
    expiry_date: date
    balance: int
    stated_at: datetime


async def state_stock(session: AsyncSession, batch_id: int, *, at: datetime) -> None:
    """Notes that the present quantity of a batch holds from an instant on; earlier events do not move it."""
    await session.execute(_STATE, {"batch_id": batch_id, "at": at})


async def state_stock_of_product(session: AsyncSession, product_id: int) -> None:
    """Notes that the present quantities of a product's batches hold from now on, in a new unit."""
    await session.execute(_STATE_PRODUCT, {"product_id": product_id})


async def note_movement(session: AsyncSession, batch_id: int, quantity: int, *, at: datetime) -> None:
    """Notes that a person added stock to a batch, or took it; the caller has changed the quantity.

    Args:
        session: in the transaction of the change.
        batch_id: id of the batch.
        quantity: thousandths that were added.
        at: the instant of the change.
    """
    await ensure_event_partitions(session, [at])
    await session.execute(_NOTE_MOVEMENT, {"batch_id": batch_id, "quantity": quantity, "at": at})
    # The person has seen what is there.
    await session.execute(_SETTLE, {"batch_id": batch_id})


async def movements_after(session: AsyncSession, instants: Mapping[int, datetime]) -> dict[int, int]:
    """Returns the sum of movements of each batch after its instant, in thousandths; without zeros."""
    if not instants:
        return {}
    rows = await session.execute(_AFTER, {"ids": list(instants), "instants": list(instants.values())})
    return {batch_id: int(total) for batch_id, total in rows}


async def write_levels(session: AsyncSession, levels: Sequence[StockLevel]) -> tuple[int, ...]:
    """Writes the levels of locked batches; returns the ids of those whose quantity changed."""
    if not levels:
        return ()
    values = {
        "ids": [level.batch_id for level in levels],
        "quantities": [max(level.balance, 0) for level in levels],
        "oversold": [max(-level.balance, 0) for level in levels],
        "instants": [level.stated_at for level in levels],
    }
    changed = (await session.execute(_WRITE_QUANTITIES, values)).scalars().all()
    await session.execute(_WRITE_STATEMENTS, values)
    return tuple(sorted(changed))


_IDS: Final = bindparam("ids", type_=ARRAY(BigInteger))
_INSTANTS: Final = bindparam("instants", type_=ARRAY(DateTime(timezone=True)))

_STATE: Final = text(
    """
    INSERT INTO batch_statements AS known (batch_id, stated_at) VALUES (:batch_id, :at)
    ON CONFLICT (batch_id) DO UPDATE
    SET stated_at = greatest(known.stated_at, EXCLUDED.stated_at), oversold = 0
    """
).bindparams(bindparam("at", type_=DateTime(timezone=True)))

_STATE_PRODUCT: Final = text(
    """
    INSERT INTO batch_statements AS known (batch_id, stated_at)
    SELECT id, now() FROM batches WHERE product_id = :product_id
    ON CONFLICT (batch_id) DO UPDATE
    SET stated_at = greatest(known.stated_at, EXCLUDED.stated_at), oversold = 0
    """
)

_NOTE_MOVEMENT: Final = text(
    "INSERT INTO stock_movements (batch_id, occurred_at, quantity) VALUES (:batch_id, :at, :quantity)"
).bindparams(bindparam("at", type_=DateTime(timezone=True)))

_SETTLE: Final = text("UPDATE batch_statements SET oversold = 0 WHERE batch_id = :batch_id AND oversold > 0")

_AFTER: Final = text(
    """
    SELECT stated.batch_id, sum(moved.quantity)
    FROM unnest(:ids, :instants) AS stated (batch_id, instant)
    JOIN stock_movements AS moved
        ON moved.batch_id = stated.batch_id AND moved.occurred_at > stated.instant
    GROUP BY stated.batch_id
    HAVING sum(moved.quantity) <> 0
    """
).bindparams(_IDS, _INSTANTS)

_WRITE_QUANTITIES: Final = text(
    """
    UPDATE batches
    SET quantity = level.quantity, updated_at = now()
    FROM unnest(:ids, :quantities) AS level (batch_id, quantity)
    WHERE batches.id = level.batch_id AND batches.quantity <> level.quantity
    RETURNING batches.id
    """
).bindparams(_IDS, bindparam("quantities", type_=ARRAY(BigInteger)))

# Most batches were stated when they were created, and are not oversold: they need no row.
_WRITE_STATEMENTS: Final = text(
    """
    INSERT INTO batch_statements AS known (batch_id, stated_at, oversold)
    SELECT level.batch_id, level.stated_at, level.oversold
    FROM unnest(:ids, :instants, :oversold) AS level (batch_id, stated_at, oversold)
    LEFT JOIN batch_statements AS present USING (batch_id)
    JOIN batches ON batches.id = level.batch_id
    WHERE (coalesce(present.stated_at, batches.created_at), coalesce(present.oversold, 0))
        IS DISTINCT FROM (level.stated_at, level.oversold)
    ON CONFLICT (batch_id) DO UPDATE SET stated_at = EXCLUDED.stated_at, oversold = EXCLUDED.oversold
    """
).bindparams(_IDS, _INSTANTS, bindparam("oversold", type_=ARRAY(BigInteger)))


async def lock_levels(
    session: AsyncSession,
    *,
    pairs: Sequence[tuple[int, int]],
    expiring_from: date,
    lots: Sequence[str],
    days: Sequence[date],
) -> tuple[StockLevel, ...]:
    """Locks the batches that events may move, in the order of their ids, and returns their levels.

    Args:
        session: in a transaction, which holds the locks.
        pairs: stores and products of the events.
        expiring_from: batches without stock are left out if they expire before this day.
        lots: lots that events name, whose batches are never left out.
        days: expiry dates that events name, likewise.
    """
    values = {
        "stores": [store for store, _ in pairs],
        "products": [product for _, product in pairs],
        "expiring_from": expiring_from,
        "lots": list(lots),
        "days": list(days),
    }
    ids = (await session.execute(_LOCK, values)).scalars().all()
    # A statement of its own: it sees what another transaction wrote while the locks were awaited.
    rows = await session.execute(_READ, {"ids": list(ids)})
    return tuple(
        StockLevel(batch_id, store_id, product_id, lot, day, quantity - oversold, stated_at)
        for batch_id, store_id, product_id, lot, day, quantity, oversold, stated_at in rows
    )


_LOCK: Final = text(
    """
    SELECT batches.id
    FROM unnest(:stores, :products) AS wanted (store_id, product_id)
    JOIN batches USING (store_id, product_id)
    WHERE batches.quantity > 0
        OR batches.expiry_date >= :expiring_from
        OR batches.lot = ANY (:lots)
        OR batches.expiry_date = ANY (:days)
    ORDER BY batches.id
    FOR NO KEY UPDATE OF batches
    """
).bindparams(
    bindparam("stores", type_=ARRAY(Integer)),
    bindparam("products", type_=ARRAY(Integer)),
    bindparam("lots", type_=ARRAY(String)),
)

_READ: Final = text(
    """
    SELECT
        batches.id, batches.store_id, batches.product_id, batches.lot, batches.expiry_date, batches.quantity,
        coalesce(stated.oversold, 0), coalesce(stated.stated_at, batches.created_at)
    FROM batches
    LEFT JOIN batch_statements AS stated ON stated.batch_id = batches.id
    WHERE batches.id = ANY (:ids)
    ORDER BY batches.id
    """
).bindparams(_IDS)

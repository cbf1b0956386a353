"""The statements that find the products and prices of events, and insert events and movements."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, Date, DateTime, Integer, Numeric, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.stock import STATED_BY_EVENTS_ONLY
from flexiprice.domain.quantity import Unit
from flexiprice.events.event_row import EventRow
from flexiprice.events.shelf import Movement


async def find_products(
    session: AsyncSession, rows: Sequence[EventRow]
) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[int, Unit]]:
    """Returns the ids of the products of events, by SKU and by GTIN, and their units by id."""
    skus = sorted({row.sku for row in rows if row.sku is not None})
    gtins = sorted({row.gtin for row in rows if row.gtin is not None})
    by_sku = (await session.execute(_BY_SKU, {"codes": skus})).all() if skus else ()
    by_gtin = (await session.execute(_BY_GTIN, {"codes": gtins})).all() if gtins else ()
    units = {product_id: Unit(unit) for _, product_id, unit in (*by_sku, *by_gtin)}
    return {row[0]: row[1] for row in by_sku}, {row[0]: row[1] for row in by_gtin}, units


async def find_price_steps(
    session: AsyncSession, batch_ids: Sequence[int]
) -> list[tuple[int, datetime, Decimal | None]]:
    """Returns the ledger lines of batches in order: batch, instant, price of the discount after it."""
    if not batch_ids:
        return []
    rows = await session.execute(_PRICE_STEPS, {"ids": list(batch_ids)})
    return [(batch_id, decided_at, price) for batch_id, decided_at, price in rows]


async def create_batches(session: AsyncSession, deliveries: Sequence[EventRow]) -> None:
    """Makes the batches of deliveries that do not exist, empty; the events move their stock.

    Of deliveries of one lot with two dates, the first makes the batch.
    """
    if not deliveries:
        return
    by_name = {_name_of(row): row for row in reversed(deliveries)}
    # Sorted, so that concurrent requests do not deadlock.
    first = [by_name[name] for name in sorted(by_name)]
    values = {
        "stores": [row.key.store_id for row in first],
        "products": [row.product_id for row in first],
        "lots": [row.lot or "" for row in first],
        "days": [row.expiry_date for row in first],
        "at": STATED_BY_EVENTS_ONLY,
    }
    await session.execute(_CREATE_BATCHES, values)


def _name_of(row: EventRow) -> tuple[int, int, str, date]:
    day = None if row.lot else row.expiry_date
    return row.key.store_id, row.product_id, row.lot or "", day or date.min


async def insert_events(session: AsyncSession, events: Sequence[tuple[int, EventRow, int | None]]) -> None:
    """Inserts events with their ids and the batches that they name."""
    if not events:
        return
    rows = [row for _, row, _ in events]
    values = {
        "ids": [event_id for event_id, _, _ in events],
        "batches": [batch_id for _, _, batch_id in events],
        "instants": [row.occurred_at for row in rows],
        "quantities": [row.quantity for row in rows],
        "stores": [row.key.store_id for row in rows],
        "products": [row.product_id for row in rows],
        "kinds": [row.kind.value for row in rows],
        "prices": [row.unit_price for row in rows],
        "sources": [row.key.source for row in rows],
        "lines": [row.key.line_id for row in rows],
    }
    await session.execute(_INSERT_EVENTS, values)


async def insert_movements(session: AsyncSession, movements: Sequence[tuple[int, Movement]]) -> None:
    """Inserts movements with the ids of their events."""
    if not movements:
        return
    values = {
        "ids": [event_id for event_id, _ in movements],
        "batches": [moved.batch_id for _, moved in movements],
        "instants": [moved.row.occurred_at for _, moved in movements],
        "quantities": [moved.quantity for _, moved in movements],
        "grounds": [moved.ground.value for _, moved in movements],
    }
    await session.execute(_INSERT_MOVEMENTS, values)


_CODES: Final = bindparam("codes", type_=ARRAY(String))
_IDS: Final = bindparam("ids", type_=ARRAY(BigInteger))
_INSTANTS: Final = bindparam("instants", type_=ARRAY(DateTime(timezone=True)))
_STORES: Final = bindparam("stores", type_=ARRAY(Integer))
_PRODUCTS: Final = bindparam("products", type_=ARRAY(Integer))
_BATCHES: Final = bindparam("batches", type_=ARRAY(BigInteger))
_QUANTITIES: Final = bindparam("quantities", type_=ARRAY(BigInteger))

_BY_SKU: Final = text("SELECT sku, id, unit FROM products WHERE sku = ANY (:codes)").bindparams(_CODES)
_BY_GTIN: Final = text(
    """
    SELECT gtin, product_id, unit
    FROM product_gtins
    JOIN products ON products.id = product_id
    WHERE gtin = ANY (:codes)
    """
).bindparams(_CODES)
_PRICE_STEPS: Final = text(
    """
    SELECT batch_id, decided_at, price
    FROM price_decisions
    WHERE batch_id = ANY (:ids)
    ORDER BY batch_id, decided_at, id
    """
).bindparams(_IDS)

_CREATE_BATCHES: Final = text(
    """
    WITH made AS (
        INSERT INTO batches (store_id, product_id, lot, expiry_date, quantity)
        SELECT store_id, product_id, lot, expiry_date, 0
        FROM unnest(:stores, :products, :lots, :days) AS delivered (store_id, product_id, lot, expiry_date)
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    INSERT INTO batch_statements (batch_id, stated_at) SELECT id, CAST(:at AS timestamptz) FROM made
    """
).bindparams(
    _STORES,
    _PRODUCTS,
    bindparam("lots", type_=ARRAY(String)),
    bindparam("days", type_=ARRAY(Date)),
    bindparam("at", type_=DateTime(timezone=True)),
)

_INSERT_EVENTS: Final = text(
    """
    INSERT INTO stock_events (
        id, occurred_at, batch_id, quantity, store_id, product_id, kind, unit_price, source, line_id
    )
    SELECT id, at, batch_id, quantity, store_id, product_id, CAST(kind AS event_kind), price, source, line
    FROM unnest(
        :ids, :instants, :batches, :quantities, :stores, :products, :kinds, :prices, :sources, :lines
    ) AS event (id, at, batch_id, quantity, store_id, product_id, kind, price, source, line)
    """
).bindparams(
    _IDS,
    _INSTANTS,
    _BATCHES,
    _QUANTITIES,
    _STORES,
    _PRODUCTS,
    bindparam("kinds", type_=ARRAY(String)),
    bindparam("prices", type_=ARRAY(Numeric)),
    bindparam("sources", type_=ARRAY(String)),
    bindparam("lines", type_=ARRAY(String)),
)

_INSERT_MOVEMENTS: Final = text(
    """
    INSERT INTO stock_movements (batch_id, occurred_at, event_id, quantity, ground)
    SELECT batch_id, at, event_id, quantity, CAST(ground AS allocation_ground)
    FROM unnest(:batches, :instants, :ids, :quantities, :grounds)
        AS moved (batch_id, at, event_id, quantity, ground)
    """
).bindparams(_BATCHES, _INSTANTS, _IDS, _QUANTITIES, bindparam("grounds", type_=ARRAY(String)))

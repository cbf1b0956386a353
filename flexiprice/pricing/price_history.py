"""Records price snapshots by slot, and reads the price history of a product."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, CursorResult, Select, and_, delete, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.catalog.stores import get_store
from flexiprice.db.locks import Lock
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.planner_settings import restore_plan_cache, use_bulk_plans_and_lock
from flexiprice.db.statements import create_temporary, drop_temporary
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import PriceSnapshot, Product
from flexiprice.domain.prior_price import (
    PRIOR_PRICE_WINDOW,
    PricePeriod,
    Reduction,
    lowest_over_time,
    lowest_price,
)
from flexiprice.pricing.current_lowest_prices import CURRENT_LOWEST_PRICES, compile_current_lowest_prices
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.price_periods import read_price_periods

SLOT: Final = timedelta(hours=6)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistorySummary:
    """The result of recording a slot.

    Attributes:
        slot_at: the slot.
        recorded: products with a discount in force, counted per store.
        closed: products that returned to their base price since the previous slot, counted per store.
        superseded: whether nothing was written because a later slot is already recorded; current prices
            would be wrong in this one.
        duration_seconds: duration.
    """

    slot_at: datetime
    recorded: int
    closed: int
    superseded: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class PricePoint:
    """The lowest price in force in a slot, with the base price."""

    slot_at: datetime
    price: Decimal
    base_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistory:
    """The history of a product's lowest price in a store.

    Attributes:
        sku: the product.
        store: the store's code.
        lowest_30_days: the lowest price in force in the last 30 days, including the current price.
        reduction: of the batch with the lowest current price, with its prior price; None at base price.
        base_prices: base prices in the requested days, the oldest first.
        lowest_prices: the lowest price in the requested days, step by step, until now at most.
        snapshots: by slot. The first may precede the requested days, if it was in force when they began.
            Before the first snapshot, and after one at base price, the base price was in force.
    """

    sku: str
    store: str
    lowest_30_days: Decimal
    reduction: Reduction | None
    base_prices: tuple[PricePeriod, ...]
    lowest_prices: tuple[PricePeriod, ...]
    snapshots: tuple[PricePoint, ...]


def slot_of(instant: datetime) -> datetime:
    """Returns the start of the six-hour slot, in UTC, of an aware instant."""
    in_utc = instant.astimezone(UTC)
    return in_utc - (in_utc - _EPOCH) % SLOT


async def update_price_history(
    session: AsyncSession, *, slot_at: datetime, now: datetime
) -> PriceHistorySummary:
    """Records the lowest price of every discounted product of every store in a slot.

    Idempotent: a second run rewrites the slot. A product whose discount ended since the previous slot gets
    one row at its base price; after that, no row means base price.

    Args:
        session: a transaction.
        slot_at: the slot of the scheduled tick, see `slot_of`, even if the run is late.
        now: the instant of the prices; it decides which batches have expired in which store.
    """
    started = time.monotonic()
    await use_bulk_plans_and_lock(session, Lock.PRICE_HISTORY)
    await ensure_partitions(session, now=slot_at)
    recorded = closed = 0
    newest = await session.scalar(select(func.max(PriceSnapshot.slot_at)))
    superseded = newest is not None and newest > slot_at
    if not superseded:
        if newest == slot_at:
            await session.execute(delete(PriceSnapshot).where(PriceSnapshot.slot_at == slot_at))
        in_force = await _in_force(session, slot_at, now)
        await restore_plan_cache(session)
        recorded = await _write(session, in_force)
        closed = await _write(session, _returned(slot_at))
        await drop_temporary(session, CURRENT_LOWEST_PRICES)
    return PriceHistorySummary(
        slot_at=slot_at,
        recorded=recorded,
        closed=closed,
        superseded=superseded,
        duration_seconds=time.monotonic() - started,
    )


async def _write(session: AsyncSession, rows: Select[*tuple[Any, ...]]) -> int:
    names = ["product_id", "store_id", "slot_at", "price", "base_price"]
    result = await session.execute(insert(PriceSnapshot).from_select(names, rows))
    return result.rowcount if isinstance(result, CursorResult) else 0


async def _in_force(session: AsyncSession, slot_at: datetime, now: datetime) -> Select[*tuple[Any, ...]]:
    dialect = (await session.connection()).dialect
    await create_temporary(
        session, CURRENT_LOWEST_PRICES, compile_current_lowest_prices(dialect), {"now": now}
    )
    row = CURRENT_LOWEST_PRICES.c
    return select(
        row.product_id, row.store_id, literal(slot_at, PriceSnapshot.slot_at.type), row.price, row.base_price
    )


def _returned(slot_at: datetime) -> Select[*tuple[Any, ...]]:
    before, this = PriceSnapshot.__table__.alias("before"), PriceSnapshot.__table__.alias("this")
    latest = select(func.max(PriceSnapshot.slot_at)).where(PriceSnapshot.slot_at < slot_at).scalar_subquery()
    return (
        select(
            before.c.product_id,
            before.c.store_id,
            literal(slot_at, PriceSnapshot.slot_at.type),
            base_price(),
            base_price(),
        )
        .join(Product, Product.id == before.c.product_id)
        .outerjoin(StorePrice, of_store(before.c.product_id, before.c.store_id))
        .outerjoin(
            this,
            and_(
                this.c.product_id == before.c.product_id,
                this.c.store_id == before.c.store_id,
                this.c.slot_at == slot_at,
            ),
        )
        # Each slot has all discounted products, so the previous slot has all that may have returned.
        .where(before.c.slot_at == latest, before.c.price < before.c.base_price, this.c.slot_at.is_(None))
    )


async def get_price_history(
    session: AsyncSession,
    *,
    sku: str,
    store: str,
    now: datetime,
    start: date | None = None,
    end: date | None = None,
) -> PriceHistory:
    """Returns the history of a product's lowest price in a store, and the lowest price of the last 30 days.

    Args:
        session: a transaction.
        sku: the product.
        store: the store's code.
        now: the end of the 30 days, and the instant of the reduction.
        start: first day, a local date of the store; None for 30 days before now.
        end: last day, a local date of the store; None for today.

    Raises:
        NotFound: the product or the store does not exist.
    """
    price, shop = await get_price(session, sku=sku, store=store, now=now), await get_store(session, store)
    zone = ZoneInfo(shop.time_zone)
    begins_at = _midnight(start, zone) if start is not None else now - PRIOR_PRICE_WINDOW
    ends_at = _midnight(end + timedelta(days=1), zone) if end is not None and end < date.max else None
    window_start, shown_until = now - PRIOR_PRICE_WINDOW, now if ends_at is None else min(now, ends_at)
    product_id, store_id = price.product_id, price.store_id
    known = await read_price_periods(
        session, product_id=product_id, store_id=store_id, since=min(window_start, begins_at)
    )
    periods = known.all()
    lowest = lowest_price(periods, start=window_start, end=now)
    own = and_(PriceSnapshot.product_id == product_id, PriceSnapshot.store_id == store_id)
    return PriceHistory(
        sku=price.sku,
        store=price.store,
        lowest_30_days=price.lowest_price if lowest is None else min(lowest, price.lowest_price),
        reduction=price.reduction,
        base_prices=tuple(
            period
            for period in known.base
            if (ends_at is None or period.valid_from < ends_at)
            and (period.valid_to is None or period.valid_to > begins_at)
        ),
        lowest_prices=tuple(lowest_over_time(periods, start=begins_at, end=shown_until)),
        snapshots=tuple(await _points(session, own, begins_at, ends_at)),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock_time.min, tzinfo=zone)


async def _points(
    session: AsyncSession, own: ColumnElement[bool], begins_at: datetime, ends_at: datetime | None
) -> list[PricePoint]:
    """Returns the snapshots of a window, preceded by the one in force at its start."""
    row = PriceSnapshot
    columns = select(row.slot_at, row.price, row.base_price).where(own)
    carried = columns.where(row.slot_at < begins_at).order_by(row.slot_at.desc()).limit(1)
    within = columns.where(row.slot_at >= begins_at).order_by(row.slot_at)
    if ends_at is not None:
        within = within.where(row.slot_at < ends_at)
    before = [PricePoint(*found) for found in await session.execute(carried)]
    return [point for point in before if point.price < point.base_price] + [
        PricePoint(*found) for found in await session.execute(within)
    ]

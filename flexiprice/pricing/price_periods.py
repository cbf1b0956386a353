"""Reads the periods of a product's prices in a store from base price history and ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Date,
    Select,
    and_,
    case,
    cast,
    func,
    lateral,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.base_price_tables import ALL_STORES, BasePrice, DeletedBatch
from flexiprice.db.tables import Batch, PriceDecision, Store
from flexiprice.domain.decision import DecisionKind
from flexiprice.domain.prior_price import (
    PRIOR_PRICE_WINDOW,
    PricePeriod,
    ReducedPrice,
    Reduction,
    find_reduction,
    overlaid,
    reduced_periods,
)

# A calendar day has ended in every time zone by then.
_LONGEST_DAY = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePeriods:
    """The prices of a product in a store since an instant.

    Attributes:
        base: the base prices, the oldest first.
        batches: the ledger lines by batch, in order.
    """

    base: tuple[PricePeriod, ...]
    batches: Mapping[int, tuple[ReducedPrice, ...]]

    def all(self) -> list[PricePeriod]:
        """Returns base prices and the reduced prices of all batches."""
        reduced = (period for lines in self.batches.values() for period in reduced_periods(lines))
        return [*self.base, *reduced]


async def find_reductions(
    session: AsyncSession, *, product_id: int, store_id: int, opened: Mapping[int, datetime]
) -> dict[int, Reduction]:
    """Returns the reductions of a product in a store, by batch.

    Args:
        session: in a transaction.
        product_id: the product.
        store_id: the store.
        opened: when the discount of each batch opened, by batch.
    """
    if not opened:
        return {}
    since = min(opened.values()) - PRIOR_PRICE_WINDOW
    known = await read_price_periods(session, product_id=product_id, store_id=store_id, since=since)
    periods = known.all()
    found = {batch_id: find_reduction(known.batches.get(batch_id, ()), periods) for batch_id in opened}
    return {batch_id: reduction for batch_id, reduction in found.items() if reduction is not None}


async def read_price_periods(
    session: AsyncSession, *, product_id: int, store_id: int, since: datetime
) -> PricePeriods:
    """Returns every price of a product in a store that was in force at `since` or later.

    Reads the history of base prices and the ledger, including lines of deleted batches. It reads neither
    prices of other stores nor the product's current price.

    Args:
        session: in a transaction.
        product_id: the product.
        store_id: the store.
        since: prices that ended earlier are not read.
    """
    rows = await session.execute(_ledger_lines(product_id, store_id, since))
    return PricePeriods(
        base=await read_base_prices(session, product_id=product_id, store_id=store_id, since=since),
        batches={
            batch_id: tuple(
                ReducedPrice(
                    decided_at=line.decided_at,
                    price=line.price,
                    previous_price=line.previous_price,
                    opened=line.kind is DecisionKind.OPENED,
                    expired_at=line.expired_at,
                )
                for line in lines
            )
            for batch_id, lines in groupby(rows, key=lambda line: int(line.batch_id))
        },
    )


async def read_base_prices(
    session: AsyncSession, *, product_id: int, store_id: int, since: datetime
) -> tuple[PricePeriod, ...]:
    """Returns the base prices of a product in a store in force at `since` or later, the oldest first.

    The store's own price, while it has one, hides that of all stores.

    Args:
        session: in a transaction.
        product_id: the product.
        store_id: the store.
        since: prices that ended earlier are not read. Prices before the history began are unknown.
    """
    own = await _read_base_prices(session, product_id, store_id, since)
    return overlaid(own, await _read_base_prices(session, product_id, ALL_STORES, since))


async def _read_base_prices(
    session: AsyncSession, product_id: int, store_id: int, since: datetime
) -> list[PricePeriod]:
    row = BasePrice
    own = and_(row.product_id == product_id, row.store_id == store_id)
    first = select(func.max(row.valid_from)).where(own, row.valid_from <= since).scalar_subquery()
    query = (
        select(row.price, row.valid_from)
        .where(own, row.valid_from >= func.coalesce(first, since))
        .order_by(row.valid_from)
    )
    rows: list[tuple[Decimal | None, datetime]] = [
        (price, valid_from) for price, valid_from in await session.execute(query)
    ]
    ends = [*(valid_from for _, valid_from in rows[1:]), None]
    return [
        PricePeriod(price, valid_from, valid_to)
        for (price, valid_from), valid_to in zip(rows, ends, strict=False)
        if price is not None
    ]


def _ledger_lines(product_id: int, store_id: int, since: datetime) -> Select[*tuple[Any, ...]]:
    """Selects the lines since an instant, and the preceding line of each batch, in force at that instant."""
    # The ledger has an index by batch, none by product.
    batches = union_all(
        select(Batch.id.label("id"), null().cast(TIMESTAMP(timezone=True)).label("deleted_at")).where(
            Batch.product_id == product_id,
            Batch.store_id == store_id,
            # Prices of batches that had expired were not in force, unless their date was corrected later.
            or_(Batch.expiry_date >= (since - _LONGEST_DAY).date(), Batch.updated_at >= since),
        ),
        select(DeletedBatch.batch_id, DeletedBatch.deleted_at).where(
            DeletedBatch.product_id == product_id,
            DeletedBatch.store_id == store_id,
            DeletedBatch.deleted_at >= since,
        ),
    ).subquery("own_batches")
    line = PriceDecision
    zone = select(Store.time_zone).where(Store.id == store_id).scalar_subquery()
    # NULL for a batch that never expires: Python has no later date.
    expired_at = case(
        (
            line.expiry_date < literal(date.max, Date),
            func.timezone(zone, cast(line.expiry_date + 1, TIMESTAMP)),
        )
    )
    columns = select(
        line.batch_id,
        line.decided_at,
        line.id,
        line.kind,
        line.price,
        func.coalesce(line.previous_price, line.base_price).label("previous_price"),
        # No price is in force after the batch expired or was deleted, whether or not its discount closed.
        func.least(batches.c.deleted_at, expired_at).label("expired_at"),
    ).where(line.batch_id == batches.c.id, line.product_id == product_id, line.store_id == store_id)
    before = columns.where(line.decided_at < since).order_by(line.decided_at.desc(), line.id.desc()).limit(1)
    lines = lateral(union_all(columns.where(line.decided_at >= since), before)).alias("lines")
    return (
        select(*lines.c)
        .select_from(batches)
        .join(lines, true())
        .order_by(lines.c.batch_id, lines.c.decided_at, lines.c.id)
    )

"""The nightly cleanup: closes discounts of unsellable batches, and maintains partitions and retention."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock
from flexiprice.db.partitions import drop_price_history_before, ensure_partitions, find_partitions
from flexiprice.db.planner_settings import use_bulk_plans_and_lock
from flexiprice.domain.prior_price import PRIOR_PRICE_WINDOW
from flexiprice.pricing.price_retention import drop_base_prices_before
from flexiprice.pricing.sql.closures import compile_closing_expired
from flexiprice.pricing.sql.writes import write_in_one_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupSummary:
    """The result of a cleanup.

    Attributes:
        closed: closed discounts: `expired` + `sold_out`.
        expired: closed discounts of expired batches.
        sold_out: closed discounts of sold out batches.
        partitions_created: monthly partitions created ahead.
        partitions_dropped: monthly partitions of the price history dropped after the retention period.
        base_prices_dropped: base prices deleted after the retention period.
        duration_seconds: duration, including the wait for a recompute.
    """

    closed: int
    expired: int
    sold_out: int
    partitions_created: int
    partitions_dropped: int
    base_prices_dropped: int
    duration_seconds: float


async def cleanup_expired_discounts(
    session: AsyncSession, *, now: datetime, history_retention_days: int
) -> CleanupSummary:
    """Closes the discounts of expired and sold out batches, creates partitions and drops old history.

    Idempotent. Waits for a running recompute. The ledger is kept for good.

    Args:
        session: a transaction; the caller commits it.
        now: the instant of the ledger lines; it decides the stores' local dates.
        history_retention_days: price history that is entirely older is dropped by the month, base prices
            that ended earlier one by one. Prices that a prior price needs are kept.
    """
    started = perf_counter()
    await use_bulk_plans_and_lock(session, Lock.DISCOUNTS)
    partitions = await find_partitions(session)
    created = await ensure_partitions(session, now=now, present=partitions)
    dialect = (await session.connection()).dialect
    counts = await write_in_one_statement(session, compile_closing_expired(dialect), {"now": now})
    oldest = now - max(timedelta(days=history_retention_days), PRIOR_PRICE_WINDOW)
    dropped = await drop_price_history_before(session, instant=oldest, present=partitions)
    base_prices_dropped = await drop_base_prices_before(session, instant=oldest)
    return CleanupSummary(
        closed=counts.closed,
        expired=counts.expired,
        sold_out=counts.closed - counts.expired,
        partitions_created=created,
        partitions_dropped=dropped,
        base_prices_dropped=base_prices_dropped,
        duration_seconds=perf_counter() - started,
    )

"""The nightly tidying: closes discounts that are over, keeps partitions and retention."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock
from flexiprice.db.partitions import drop_price_history_before, ensure_partitions
from flexiprice.db.planner import begin_bulk
from flexiprice.domain.prior_price import PRIOR_PRICE_WINDOW
from flexiprice.pricing.price_retention import drop_base_prices_before
from flexiprice.pricing.sql.closings import compile_closing_expired
from flexiprice.pricing.sql.writes import write_in_one_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupSummary:
    """What a cleanup did.

    Attributes:
        closed: discounts that closed: those of expired batches and those of sold out ones.
        expired: how many of them for the former reason.
        sold_out: how many for the latter.
        partitions_created: monthly partitions made ahead.
        partitions_dropped: monthly partitions of the price history that were past the retention.
        base_prices_dropped: base prices that had ended before the retention.
        duration_seconds: how long it took, the wait for a recompute included.
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
    """Closes the discounts of expired and sold out batches, makes partitions and drops old history.

    Run again, it writes nothing. Waits for a recompute that runs. The ledger is kept for good.

    Args:
        session: a transaction that the caller opened; nothing is done before it commits.
        now: the instant that the stores' dates and the ledger are of.
        history_retention_days: price history wholly older than this is dropped, by the month; base prices
            that ended before it, one by one. What a prior price needs is kept.
    """
    started = perf_counter()
    await begin_bulk(session, Lock.DISCOUNTS)
    created = await ensure_partitions(session, now=now)
    dialect = (await session.connection()).dialect
    counts = await write_in_one_statement(session, compile_closing_expired(dialect), {"now": now})
    oldest = now - max(timedelta(days=history_retention_days), PRIOR_PRICE_WINDOW)
    dropped = await drop_price_history_before(session, instant=oldest)
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

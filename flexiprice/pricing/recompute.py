"""Recomputes discounts: quotes batches by the active policy, and opens, changes and closes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock, acquire_shared
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.planner import begin_bulk, use_bulk_plans
from flexiprice.db.statements import PolicyKey
from flexiprice.domain.policy import MAX_DAYS_TO_EXPIRY, PricingPolicy
from flexiprice.domain.shard import Shard
from flexiprice.errors import InvalidInput, TooManyChanges
from flexiprice.pricing.policy_versions import get_active_rules
from flexiprice.pricing.sql.buckets import acquire_shard, share_buckets
from flexiprice.pricing.sql.candidates import find_stale
from flexiprice.pricing.sql.change_set import Counts
from flexiprice.pricing.sql.changes import compile_changes, compile_writing_changes
from flexiprice.pricing.sql.closings import compile_closing_deleted
from flexiprice.pricing.sql.selection import BatchSelection
from flexiprice.pricing.sql.staged_writes import apply_staged, drop_staging, stage
from flexiprice.pricing.sql.writes import write_in_one_statement

DEFAULT_DAYS_THRESHOLD = 30
MAX_BATCHES_AT_ONCE = 100_000
# Beyond so many, parallel workers save more than a temporary table costs.
_MOST_AT_ONCE = 25_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputeSummary:
    """What a recompute did.

    Attributes:
        considered: batches that were to be quoted: those with stock that expire within the threshold, and
            those with a discount open. It is the sum of the following four.
        opened: discounts that opened.
        changed: open discounts that changed in price or in what the price was decided on.
        closed: discounts that closed.
        unchanged: batches for which nothing was written.
        duration_seconds: how long it took, the wait for another recompute included.
    """

    considered: int
    opened: int
    changed: int
    closed: int
    unchanged: int
    duration_seconds: float


async def recompute_all_discounts(
    session: AsyncSession,
    *,
    now: datetime,
    days_threshold: int = DEFAULT_DAYS_THRESHOLD,
    most_changes: int | None = None,
) -> RecomputeSummary:
    """Brings every discount in line with the active policy, stock and date of its store.

    Run again, it writes nothing. Of two that run at once the second waits, then finds nothing to do. The
    lock lasts until the caller's transaction ends.

    Args:
        session: a transaction that the caller opened; nothing is done before it commits.
        now: the instant that the stores' dates and the ledger are of.
        days_threshold: batches further from their expiry open no discount; one that is open is kept
            in line whatever its batch's days. 1 to 365.
        most_changes: how many batches to change at most; None for any number.

    Raises:
        InvalidInput: the threshold is out of bounds.
        TooManyChanges: there is more to change, and nothing has been.
    """
    scope = BatchSelection(now=now, days_threshold=check_days_threshold(days_threshold))
    return await _recompute(session, scope, most_changes=most_changes)


async def recompute_shard(
    session: AsyncSession, shard: Shard, *, now: datetime, days_threshold: int = DEFAULT_DAYS_THRESHOLD
) -> RecomputeSummary:
    """`recompute_all_discounts` for one shard, beside others that do the rest.

    When each shard has been recomputed, every batch has been, once. Of two that have cells in common the
    second waits; so does whoever recomputes all or single batches, closes what is over, or deletes batches.

    Args:
        session: a transaction that the caller opened.
        shard: which batches.
        now: the instant that the stores' dates and the ledger are of.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        InvalidInput: the threshold is out of bounds.
    """
    threshold = check_days_threshold(days_threshold)
    scope = BatchSelection(now=now, days_threshold=threshold, excluded_buckets=shard.excluded_buckets)
    return await _recompute(session, scope, shard=shard)


async def recompute_batches(
    session: AsyncSession,
    *,
    now: datetime,
    batch_ids: Sequence[int],
    days_threshold: int = DEFAULT_DAYS_THRESHOLD,
) -> RecomputeSummary:
    """`recompute_all_discounts` for single batches, after they or their products were changed.

    Args:
        session: a transaction that the caller opened.
        now: the instant that the stores' dates and the ledger are of.
        batch_ids: the batches; those that do not exist (any more) are passed over. At most 100,000.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        InvalidInput: the threshold is out of bounds, or there are too many batches.
    """
    if len(batch_ids) > MAX_BATCHES_AT_ONCE:
        raise InvalidInput(f"at most {MAX_BATCHES_AT_ONCE} batches at once", field="batch_ids")
    threshold = check_days_threshold(days_threshold)
    return await _recompute(session, BatchSelection(now=now, days_threshold=threshold, batch_ids=batch_ids))


async def close_discounts_of_deleted(session: AsyncSession, batch_ids: Sequence[int], now: datetime) -> int:
    """Closes the discounts of batches that the caller is about to delete; returns how many were open.

    To be called before the batches are touched in the transaction. A recompute that runs meanwhile, of
    whatever shard, is waited for, and one that starts waits for the caller's transaction: it must not open
    a discount for a batch that is going.
    """
    await acquire_shared(session, Lock.DISCOUNTS)
    await share_buckets(session)
    await ensure_partitions(session, now=now)
    dialect = (await session.connection()).dialect
    parameters = {"now": now, "batch_ids": batch_ids}
    return (await write_in_one_statement(session, compile_closing_deleted(dialect), parameters)).closed


def check_days_threshold(days: int) -> int:
    """The threshold itself.

    Raises:
        InvalidInput: it is not from 1 to 365.
    """
    if not 1 <= days <= MAX_DAYS_TO_EXPIRY:
        raise InvalidInput(f"must be from 1 to {MAX_DAYS_TO_EXPIRY}", field="days_threshold")
    return days


async def _recompute(
    session: AsyncSession,
    scope: BatchSelection,
    *,
    shard: Shard | None = None,
    most_changes: int | None = None,
) -> RecomputeSummary:
    started = perf_counter()
    if shard is None:
        await begin_bulk(session, Lock.DISCOUNTS)
    else:
        await use_bulk_plans(session)
        await acquire_shard(session, shard)
    policy = await get_active_rules(session)
    due = await find_stale(session, policy, scope)
    if most_changes is not None and due.may_change > most_changes:
        raise TooManyChanges(f"{due.may_change} batches are to be changed, more than {most_changes}")
    counts = Counts()
    if due.may_change:
        await ensure_partitions(session, now=scope.now)
        write = _write_few if due.may_change <= _MOST_AT_ONCE else _write_many
        counts = await write(session, policy, due.scope)
    return summarize(due.considered, counts, perf_counter() - started)


async def _write_few(session: AsyncSession, policy: PricingPolicy, scope: BatchSelection) -> Counts:
    dialect = (await session.connection()).dialect
    statement = compile_writing_changes(dialect, PolicyKey.of(policy), scope.filters)
    return await write_in_one_statement(session, statement, scope.parameters())


async def _write_many(session: AsyncSession, policy: PricingPolicy, scope: BatchSelection) -> Counts:
    counts = await stage_price_changes(session, policy, scope)
    await apply_staged(session, counts, scope.parameters())
    await drop_staging(session)
    return counts


def summarize(considered: int, counts: Counts, duration_seconds: float) -> RecomputeSummary:
    """The summary of what was, or would be, changed among the batches considered."""
    # A batch that came in between counting and quoting was considered, too.
    considered = max(considered, counts.decisions)
    return RecomputeSummary(
        considered=considered,
        opened=counts.opened,
        changed=counts.changed,
        closed=counts.closed,
        unchanged=considered - counts.decisions,
        duration_seconds=duration_seconds,
    )


def summed(parts: Sequence[RecomputeSummary], *, duration_seconds: float) -> RecomputeSummary:
    """The summary of a recompute that was done in parts."""
    return RecomputeSummary(
        considered=sum(part.considered for part in parts),
        opened=sum(part.opened for part in parts),
        changed=sum(part.changed for part in parts),
        closed=sum(part.closed for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        duration_seconds=duration_seconds,
    )


async def stage_price_changes(
    session: AsyncSession, policy: PricingPolicy, scope: BatchSelection, *, version_counts: bool = True
) -> Counts:
    """Computes what a policy changes, into the table that `apply_staged` reads.

    Args:
        session: the transaction.
        policy: one without a version holds no open price.
        scope: the batches to quote, from `find_due`.
        version_counts: whether another policy version alone makes a change.
    """
    dialect = (await session.connection()).dialect
    statement = compile_changes(dialect, PolicyKey.of(policy), scope.filters, version_counts=version_counts)
    return await stage(session, statement, scope.parameters())

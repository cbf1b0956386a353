"""Recomputes discounts: quotes batches by the active policy, and opens, changes and closes discounts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list, has_store_prices
from flexiprice.db.locks import Lock, acquire_shared
from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.planner_settings import use_bulk_plans, use_bulk_plans_and_lock
from flexiprice.domain.policy import MAX_DAYS_TO_EXPIRY
from flexiprice.domain.shard import Shard
from flexiprice.errors import InvalidInput, TooManyChanges
from flexiprice.pricing.policy_versions import get_compiled_policy
from flexiprice.pricing.sql.buckets import acquire_shard, share_buckets
from flexiprice.pricing.sql.candidates import find_stale
from flexiprice.pricing.sql.change_set import Counts
from flexiprice.pricing.sql.changes import compile_changes, compile_writing_changes
from flexiprice.pricing.sql.closures import compile_closing_deleted
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.selection import BatchSelection
from flexiprice.pricing.sql.staged_writes import apply_staged, drop_staging, stage
from flexiprice.pricing.sql.writes import write_in_one_statement

DEFAULT_DAYS_THRESHOLD = 30
MAX_BATCHES_AT_ONCE = 100_000
# With more changes, parallel workers save more time than a staging table costs.
_MAX_SINGLE_STATEMENT_CHANGES = 25_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputeSummary:
    """The result of a recompute.

    Attributes:
        considered: candidates: batches in stock that expire within the threshold, and batches with an open
            discount. It is the sum of the next four.
        opened: discounts that opened.
        changed: open discounts whose price or inputs changed.
        closed: discounts that closed.
        unchanged: batches for which nothing was written.
        duration_seconds: duration, including the wait for another recompute.
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
    """Updates every discount to the active policy, the stock and the local date of its store.

    Idempotent. A concurrent recompute waits, then finds nothing to change. The lock lasts until the
    caller's transaction ends. Prices by store come into force with the first recompute of their first day.

    Args:
        session: a transaction; the caller commits it.
        now: the instant of the ledger lines; it decides the stores' local dates.
        days_threshold: batches with more days to expiry open no discount; open discounts are updated
            regardless. 1 to 365.
        most_changes: the maximum number of changed batches; None for any number.

    Raises:
        InvalidInput: the threshold is out of range.
        TooManyChanges: more batches would change; nothing has been written.
    """
    selection = BatchSelection(now=now, days_threshold=check_days_threshold(days_threshold))
    return await _recompute(session, selection, most_changes=most_changes)


async def recompute_shard(
    session: AsyncSession, shard: Shard, *, now: datetime, days_threshold: int = DEFAULT_DAYS_THRESHOLD
) -> RecomputeSummary:
    """Like `recompute_all_discounts`, for one shard.

    All shards together recompute every batch once. Recomputes with common buckets wait for each other, and
    so do recomputes of all or single batches, cleanups and deletions of batches. The caller has applied the
    price list before, with `catalog.store_prices.apply_price_list`.

    Args:
        session: a transaction; the caller commits it.
        shard: the shard.
        now: the instant of the ledger lines; it decides the stores' local dates.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        InvalidInput: the threshold is out of range.
    """
    threshold = check_days_threshold(days_threshold)
    selection = BatchSelection(now=now, days_threshold=threshold, excluded_buckets=shard.excluded_buckets)
    return await _recompute(session, selection, shard=shard)


async def recompute_batches(
    session: AsyncSession,
    *,
    now: datetime,
    batch_ids: Sequence[int],
    days_threshold: int = DEFAULT_DAYS_THRESHOLD,
) -> RecomputeSummary:
    """Like `recompute_all_discounts`, for single batches after a change of them or their products.

    Args:
        session: a transaction; the caller commits it.
        now: the instant of the ledger lines; it decides the stores' local dates.
        batch_ids: the batches, at most 100,000. Missing ones are ignored.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        InvalidInput: the threshold is out of range, or there are too many batches.
    """
    if len(batch_ids) > MAX_BATCHES_AT_ONCE:
        raise InvalidInput(f"at most {MAX_BATCHES_AT_ONCE} batches at once", field="batch_ids")
    threshold = check_days_threshold(days_threshold)
    return await _recompute(session, BatchSelection(now=now, days_threshold=threshold, batch_ids=batch_ids))


async def close_discounts_of_deleted(session: AsyncSession, batch_ids: Sequence[int], now: datetime) -> int:
    """Closes the discounts of batches that the caller is about to delete; returns the number closed.

    Call it before the transaction touches the batches. It waits for running recomputes of all shards. A
    recompute that starts later waits for the caller's transaction, so that it opens no discount for a deleted
    batch.
    """
    await acquire_shared(session, Lock.DISCOUNTS)
    await share_buckets(session)
    await ensure_partitions(session, now=now)
    dialect = (await session.connection()).dialect
    parameters = {"now": now, "batch_ids": batch_ids}
    return (await write_in_one_statement(session, compile_closing_deleted(dialect), parameters)).closed


def check_days_threshold(days: int) -> int:
    """Returns a valid threshold.

    Raises:
        InvalidInput: it is not from 1 to 365.
    """
    if not 1 <= days <= MAX_DAYS_TO_EXPIRY:
        raise InvalidInput(f"must be from 1 to {MAX_DAYS_TO_EXPIRY}", field="days_threshold")
    return days


async def _recompute(
    session: AsyncSession,
    selection: BatchSelection,
    *,
    shard: Shard | None = None,
    most_changes: int | None = None,
) -> RecomputeSummary:
    started = perf_counter()
    if shard is None:
        await use_bulk_plans_and_lock(session, Lock.DISCOUNTS)
    else:
        await use_bulk_plans(session)
        await acquire_shard(session, shard)
    policy = await get_compiled_policy(session)
    selection = replace(selection, store_prices=await _apply_price_list(session, selection, shard) or None)
    stale = await find_stale(session, policy, selection)
    if most_changes is not None and stale.may_change > most_changes:
        raise TooManyChanges(f"{stale.may_change} batches may change, more than the limit of {most_changes}")
    counts = Counts()
    if stale.may_change:
        await ensure_partitions(session, now=selection.now)
        write = _write_few if stale.may_change <= _MAX_SINGLE_STATEMENT_CHANGES else _write_many
        counts = await write(session, policy, stale.selection)
    return summarize(stale.considered, counts, perf_counter() - started)


async def _apply_price_list(session: AsyncSession, selection: BatchSelection, shard: Shard | None) -> bool:
    """Returns whether any store has a price of its own."""
    if shard is not None:
        # The job that has the shards done applies it before: here each would wait for the one before.
        return await has_store_prices(session)
    return await apply_price_list(session, now=selection.now, batch_ids=selection.batch_ids)


async def _write_few(session: AsyncSession, policy: CompiledPolicy, selection: BatchSelection) -> Counts:
    dialect = (await session.connection()).dialect
    statement = compile_writing_changes(dialect, policy, selection.filters)
    return await write_in_one_statement(session, statement, selection.parameters())


async def _write_many(session: AsyncSession, policy: CompiledPolicy, selection: BatchSelection) -> Counts:
    counts = await stage_price_changes(session, policy, selection)
    await apply_staged(session, counts, selection.parameters())
    await drop_staging(session)
    return counts


def summarize(considered: int, counts: Counts, duration_seconds: float) -> RecomputeSummary:
    """Returns the summary of a recompute or a preview."""
    # A batch that was added between counting and quoting counts as considered.
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
    """Adds up the summaries of the shards of a recompute."""
    return RecomputeSummary(
        considered=sum(part.considered for part in parts),
        opened=sum(part.opened for part in parts),
        changed=sum(part.changed for part in parts),
        closed=sum(part.closed for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        duration_seconds=duration_seconds,
    )


async def stage_price_changes(
    session: AsyncSession, policy: CompiledPolicy, selection: BatchSelection, *, version_counts: bool = True
) -> Counts:
    """Computes the changes of a policy into the staging table that `apply_staged` reads.

    Args:
        session: the transaction.
        policy: a policy without a version holds no open price.
        selection: the batches to quote, from `find_stale`.
        version_counts: whether a different policy version alone is a change.
    """
    dialect = (await session.connection()).dialect
    statement = compile_changes(dialect, policy, selection.filters, version_counts=version_counts)
    return await stage(session, statement, selection.parameters())

"""The tasks: each unpacks its arguments, calls one service in one transaction, and returns its summary."""

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.shard import Shard
from flexiprice.errors import TooManyChanges
from flexiprice.jobs.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    RECOMPUTE_ALL_DISCOUNTS,
    RECOMPUTE_BATCHES,
    RECOMPUTE_SHARD,
    UPDATE_PRICE_HISTORY,
    NoArguments,
    PriceHistoryArguments,
    RecomputeAllArguments,
    RecomputeBatchesArguments,
    RecomputeShardArguments,
)
from flexiprice.services import cleanup, price_history, recompute, retention
from workers.runtime.task import TaskRun, task
from workers.shards import recompute_in_shards


@task(RECOMPUTE_ALL_DISCOUNTS)
async def recompute_all_discounts(run: TaskRun, arguments: RecomputeAllArguments) -> object:
    """Brings every discount up to date; where that is much, in shards that other workers may do."""
    settings, threshold = run.resources.settings, arguments.days_threshold
    if run.parts:
        return await recompute_in_shards(run, run.parts, days_threshold=threshold)
    most = settings.recompute_shards_from if settings.recompute_shards > 1 else None

    async def effect(session: AsyncSession) -> object:
        summary = await recompute.recompute_all_discounts(
            session, now=run.now, days_threshold=threshold, most_changes=most
        )
        run.report_progress(1, 2, f"{summary.considered} batches priced; committing")
        return summary

    run.report_progress(0, 2, "pricing")
    try:
        result = await run.commit_once(effect)
    except TooManyChanges:
        return await recompute_in_shards(run, settings.recompute_shards, days_threshold=threshold)
    run.report_progress(2, 2, "done")
    return result


@task(RECOMPUTE_SHARD)
async def recompute_shard(run: TaskRun, arguments: RecomputeShardArguments) -> object:
    """Brings the discounts of one shard up to date."""
    shard = Shard(arguments.number, arguments.count)
    return await run.commit_once(
        lambda session: recompute.recompute_shard(
            session, shard, now=run.now, days_threshold=arguments.days_threshold
        )
    )


@task(RECOMPUTE_BATCHES)
async def recompute_batches(run: TaskRun, arguments: RecomputeBatchesArguments) -> object:
    """Prices batches that are new or have changed."""
    return await run.commit_once(
        lambda session: recompute.recompute_batches(
            session,
            now=run.now,
            batch_ids=arguments.batch_ids,
            days_threshold=run.resources.settings.days_threshold,
        )
    )


@task(CLEANUP_EXPIRED_DISCOUNTS)
async def cleanup_expired_discounts(run: TaskRun, _: NoArguments) -> object:
    """Closes what is expired or sold out, and keeps partitions and retention."""
    run.report_progress(0, 2, "forgetting what is past its retention")
    # In a transaction of its own, so that no recompute waits for it.
    async with run.resources.sessions.begin() as session:
        await retention.purge_operations(
            session,
            now=run.now,
            run_history_retention_days=run.resources.settings.run_history_retention_days,
        )
    run.report_progress(1, 2, "closing what is over")
    return await run.commit_once(
        lambda session: cleanup.cleanup_expired_discounts(
            session,
            now=run.now,
            history_retention_days=run.resources.settings.history_retention_days,
        )
    )


@task(UPDATE_PRICE_HISTORY)
async def update_price_history(run: TaskRun, arguments: PriceHistoryArguments) -> object:
    """Records the lowest price of every product in the slot of the tick."""
    slot_at = price_history.slot_of(arguments.slot_at or run.now)
    return await run.commit_once(
        lambda session: price_history.update_price_history(session, slot_at=slot_at, now=run.now)
    )

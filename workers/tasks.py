"""Task bodies: each calls one service in one transaction and returns its summary."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.clock import database_now
from flexiprice.domain.run import RunTrigger
from flexiprice.domain.shard import Shard
from flexiprice.errors import TooManyChanges
from flexiprice.events.retention import purge_events
from flexiprice.import_folder import FileOutcome, import_folder, purge_file_imports
from flexiprice.import_folder.repricing import reprice_imported
from flexiprice.pricing import cleanup, price_history, recompute
from flexiprice.queue.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    IMPORT_DROPPED_FILES,
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
from flexiprice.queue.source import JobSource
from flexiprice.runs import retention
from workers.runtime.jobs.task import TaskContext, task
from workers.shards import recompute_in_shards


@task(RECOMPUTE_ALL_DISCOUNTS)
async def recompute_all_discounts(run: TaskContext, arguments: RecomputeAllArguments) -> object:
    """Recomputes every discount; a large recompute is fanned out to shards."""
    settings, threshold = run.resources.settings, arguments.days_threshold
    if run.children:
        return await recompute_in_shards(run, run.children, days_threshold=threshold)
    most = settings.recompute_shards_from if settings.recompute_shards > 1 else None

    async def effect(session: AsyncSession, now: datetime) -> object:
        summary = await recompute.recompute_all_discounts(
            session, now=now, days_threshold=threshold, most_changes=most
        )
        run.report_progress(1, 2, f"{summary.considered} batches priced; committing")
        return summary

    run.report_progress(0, 2, "pricing")
    # A separate transaction, so that shards find the prices by store of a new day, and no writer of prices
    # waits for the recompute.
    async with run.resources.sessions.begin() as session:
        await apply_price_list(session, now=await database_now(session))
    try:
        result = await _commit_once(run, effect)
    except TooManyChanges:
        return await recompute_in_shards(run, settings.recompute_shards, days_threshold=threshold)
    run.report_progress(2, 2, "done")
    return result


@task(RECOMPUTE_SHARD)
async def recompute_shard(run: TaskContext, arguments: RecomputeShardArguments) -> object:
    """Recomputes the discounts of one shard."""
    shard = Shard(arguments.number, arguments.count)
    return await _commit_once(
        run,
        lambda session, now: recompute.recompute_shard(
            session, shard, now=now, days_threshold=arguments.days_threshold
        ),
    )


@task(RECOMPUTE_BATCHES)
async def recompute_batches(run: TaskContext, arguments: RecomputeBatchesArguments) -> object:
    """Recomputes the discounts of batches that are new or have changed."""
    return await _commit_once(
        run,
        lambda session, now: recompute.recompute_batches(
            session,
            now=now,
            batch_ids=arguments.batch_ids,
            days_threshold=run.resources.settings.days_threshold,
        ),
    )


@task(CLEANUP_EXPIRED_DISCOUNTS)
async def cleanup_expired_discounts(run: TaskContext, _: NoArguments) -> object:
    """Closes discounts of expired and sold-out batches, and maintains partitions and retention."""
    run.report_progress(0, 2, "deleting records past their retention")
    # A separate transaction, so that no recompute waits for its locks.
    async with run.resources.sessions.begin() as session:
        await retention.purge_operations(
            session,
            now=await database_now(session),
            run_history_retention_days=run.resources.settings.run_history_retention_days,
        )
    async with run.resources.sessions.begin() as session:
        await purge_events(
            session,
            now=await database_now(session),
            retention_days=run.resources.settings.event_retention_days,
        )
    async with run.resources.sessions.begin() as session:
        await purge_file_imports(
            session,
            now=await database_now(session),
            retention_days=run.resources.settings.run_history_retention_days,
        )
    run.report_progress(1, 2, "closing finished discounts")
    return await _commit_once(
        run,
        lambda session, now: cleanup.cleanup_expired_discounts(
            session,
            now=now,
            history_retention_days=run.resources.settings.history_retention_days,
        ),
    )


@task(UPDATE_PRICE_HISTORY)
async def update_price_history(run: TaskContext, arguments: PriceHistoryArguments) -> object:
    """Records the lowest price of every product for the slot of the tick."""
    return await _commit_once(
        run,
        lambda session, now: price_history.update_price_history(
            session, slot_at=price_history.slot_of(arguments.slot_at or now), now=now
        ),
    )


@task(IMPORT_DROPPED_FILES)
async def import_dropped_files(run: TaskContext, _: NoArguments) -> object:
    """Imports the complete files of the watched directory, and enqueues the repricing of what they change."""
    source = JobSource(trigger=RunTrigger.TASK, parent_job_id=run.job_id)

    async def reprice(outcome: FileOutcome) -> None:
        await reprice_imported(run.resources.tasks, outcome, source=source)

    return await import_folder(
        run.resources.sessions,
        run.resources.settings,
        on_imported=reprice,
        on_progress=run.report_progress,
    )


async def _commit_once(
    run: TaskContext, effect: Callable[[AsyncSession, datetime], Awaitable[object]]
) -> object:
    """Calls `TaskContext.commit_once` with the time of PostgreSQL: no worker's clock decides a price."""

    async def at_database_time(session: AsyncSession) -> object:
        return await effect(session, await database_now(session))

    return await run.commit_once(at_database_time)

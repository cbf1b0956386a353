"""Recomputes all discounts in shards: child jobs do the work, the parent sums up their results."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from flexiprice.errors import ShardsFailed
from flexiprice.pricing.recompute import RecomputeSummary, summed
from flexiprice.queue.declarations import RECOMPUTE_SHARD
from flexiprice.queue.status import JobInfo, JobStatus
from workers.runtime.jobs.subjobs import fan_out
from workers.runtime.jobs.task import TaskContext


async def recompute_in_shards(run: TaskContext, shards: int, *, days_threshold: int) -> RecomputeSummary:
    """Returns the sum of what all shards did.

    Args:
        run: the run of the parent job.
        shards: number of shards; the same in every run of the job.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        ShardsFailed: at least one shard did not succeed; the effects of the others are committed.
    """
    arguments = [
        {"number": number, "count": shards, "days_threshold": days_threshold}
        for number in range(1, shards + 1)
    ]
    finished = await fan_out(run, RECOMPUTE_SHARD, arguments)
    summary = summed(
        [_summary(shard) for shard in finished if _succeeded(shard)], duration_seconds=_duration(finished)
    )
    failed = [
        f"{number} ({_reason(shard)})" for number, shard in enumerate(finished, 1) if not _succeeded(shard)
    ]
    if failed:
        raise ShardsFailed(
            f"{len(failed)} of {shards} shards failed: {', '.join(failed)}. The others considered "
            f"{summary.considered}, opened {summary.opened}, changed {summary.changed}, closed "
            f"{summary.closed} and left {summary.unchanged} unchanged. Recompute again to finish"
        )
    return summary


def _succeeded(shard: JobInfo) -> bool:
    return shard.status is JobStatus.SUCCEEDED


def _summary(shard: JobInfo) -> RecomputeSummary:
    return RecomputeSummary(**cast("Mapping[str, Any]", shard.result))


def _reason(shard: JobInfo) -> str:
    return shard.status.value if shard.error is None else f"{shard.error.code}: {shard.error.message}"


def _duration(shards: Sequence[JobInfo]) -> float:
    """Returns the seconds from the start of the first shard to the end of the last."""
    starts = [shard.started_at for shard in shards if shard.started_at]
    ends = [shard.finished_at for shard in shards if shard.finished_at]
    return max(0.0, (max(ends) - min(starts)).total_seconds()) if starts and ends else 0.0

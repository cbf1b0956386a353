"""A recompute of all discounts in shards, summed up by the job that asked for them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from flexiprice.errors import ShardsFailed
from flexiprice.pricing.recompute import RecomputeSummary, summed
from flexiprice.queue.declarations import RECOMPUTE_SHARD
from flexiprice.queue.status import JobInfo, JobStatus
from workers.runtime.jobs.subjobs import fan_out
from workers.runtime.jobs.task import TaskContext


async def recompute_in_shards(run: TaskContext, shards: int, *, days_threshold: int) -> RecomputeSummary:
    """What all shards did together.

    Args:
        run: of the job that is to recompute everything.
        shards: how many; the same whenever the job runs.
        days_threshold: as in `recompute_all_discounts`.

    Raises:
        ShardsFailed: at least one of them did not succeed; what the others did stands.
    """
    arguments = [
        {"number": number, "count": shards, "days_threshold": days_threshold}
        for number in range(1, shards + 1)
    ]
    ended = await fan_out(run, RECOMPUTE_SHARD, arguments)
    summary = summed(
        [_summary(shard) for shard in ended if _succeeded(shard)], duration_seconds=_lasted(ended)
    )
    failed = [f"{number} ({_why(shard)})" for number, shard in enumerate(ended, 1) if not _succeeded(shard)]
    if failed:
        raise ShardsFailed(
            f"{len(failed)} of {shards} shards failed: {', '.join(failed)}. The others considered "
            f"{summary.considered}, opened {summary.opened}, changed {summary.changed}, closed "
            f"{summary.closed} and left {summary.unchanged} unchanged. A new recompute does the rest"
        )
    return summary


def _succeeded(shard: JobInfo) -> bool:
    return shard.status is JobStatus.SUCCEEDED


def _summary(shard: JobInfo) -> RecomputeSummary:
    return RecomputeSummary(**cast("Mapping[str, Any]", shard.result))


def _why(shard: JobInfo) -> str:
    return shard.status.value if shard.error is None else f"{shard.error.code}: {shard.error.message}"


def _lasted(shards: Sequence[JobInfo]) -> float:
    """Seconds from the start of the first to the end of the last."""
    begun = [shard.started_at for shard in shards if shard.started_at]
    done = [shard.finished_at for shard in shards if shard.finished_at]
    return max(0.0, (max(done) - min(begun)).total_seconds()) if begun and done else 0.0

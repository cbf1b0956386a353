"""The outcome of a fault: jobs lost, effects doubled, seconds until recovery."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from flexiprice.queue.status import JobInfo, JobStatus
from tests.chaos.harness import Harness, until

RECOVERS_WITHIN = 10.0

_RECOVERIES = """
SELECT extract(epoch FROM min(again.at)) - $2::float8 AS seconds
FROM fault_starts AS hit JOIN fault_starts AS again USING (job_id)
WHERE hit.pid = $1 AND hit.at <= to_timestamp($2::float8) AND again.at > to_timestamp($2::float8)
GROUP BY job_id
"""

# A lease and a heartbeat, and then some.
_HISTORY_SECONDS = 10.0
_TOLD = """
SELECT count(*) FROM (
    SELECT FROM task_runs WHERE job_id = ANY($1) GROUP BY job_id
    HAVING count(*) FILTER (WHERE status = 'succeeded') = 1 AND count(*) FILTER (WHERE status = 'running') = 0
) AS told
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A row of the table.

    Attributes:
        jobs: how many were waiting or running when the fault struck, or came while it lasted.
        lost: those that did not end as they should, or without their effect.
        doubled: effects that were committed once too often.
        unrecorded: those of which the run history does not tell, or that it does not know to have ended.
        recovery: seconds until the last of those that were hit ran again; None where none was.
        note: what else there is to know.
        as_it_should: whatever else the fault must show, it showed.
    """

    jobs: int
    lost: int
    doubled: int
    unrecorded: int
    recovery: float | None
    note: str = ""
    as_it_should: bool = True

    @property
    def is_safe(self) -> bool:
        """Whether nothing was lost, doubled or left unrecorded, however long it took."""
        return self.as_it_should and not (self.lost or self.doubled or self.unrecorded)

    @property
    def holds(self) -> bool:
        """Whether the row is as it must be on a machine with nothing else to do."""
        return self.is_safe and (self.recovery is None or self.recovery <= RECOVERS_WITHIN)

    def also(self, note: str, *, as_it_should: bool) -> "Outcome":
        """The same, with something more to know."""
        return replace(self, note=f"{self.note}; {note}", as_it_should=self.as_it_should and as_it_should)


async def outcome(
    harness: Harness,
    job_ids: Sequence[str],
    *,
    recovery: float | None = None,
    failing: Mapping[str, str] | None = None,
    losses: Sequence[tuple[int, float]] = (),
    note: str = "",
    as_it_should: bool = True,
) -> Outcome:
    """Counts what became of jobs.

    Args:
        harness: where.
        job_ids: those that must have succeeded, with one effect each.
        recovery: as in the verdict.
        failing: jobs that must have failed, with their error codes.
        losses: workers by process id, and when each was lost; what they ran must have been started again,
            and the recovery is the longest time until then.
        note: as in the verdict.
        as_it_should: as in the verdict.
    """
    if losses:
        recovery = await _recovery_from(harness, losses)
        as_it_should = as_it_should and recovery is not None
    failing = failing or {}
    statuses = await harness.statuses([*job_ids, *failing])
    rows = await harness.query("SELECT job_id, count(*) AS times FROM fault_effects GROUP BY job_id")
    effects = {row["job_id"]: row["times"] for row in rows}
    lost = [job_id for job_id in job_ids if not _succeeded(statuses.get(job_id)) or job_id not in effects]
    lost += [job_id for job_id, code in failing.items() if _code(statuses.get(job_id)) != code]
    return Outcome(
        jobs=len(job_ids) + len(failing),
        lost=len(lost),
        doubled=sum(times - 1 for times in effects.values()),
        unrecorded=await unrecorded_of(harness, job_ids),
        recovery=recovery,
        note=note,
        as_it_should=as_it_should,
    )


async def _recovery_from(harness: Harness, losses: Sequence[tuple[int, float]]) -> float | None:
    seconds = [row["seconds"] for loss in losses for row in await harness.query(_RECOVERIES, *loss)]
    return max(map(float, seconds), default=None)


async def slowest_worker_after(harness: Harness, instant: float) -> float | None:
    """Seconds from an instant until every worker has begun a job; None where one has not."""
    first = """
        SELECT extract(epoch FROM min(at)) - $1::float8 AS seconds
        FROM fault_starts WHERE at > to_timestamp($1::float8) GROUP BY pid
    """
    seconds = [float(row["seconds"]) for row in await harness.query(first, instant)]
    return max(seconds) if len(seconds) == len(harness.workers) else None


async def end_of_those_hit(harness: Harness, struck_at: float, back_at: float) -> float | None:
    """Seconds from when a server was back until all jobs that ran when it went have ended."""
    rows = await harness.query(
        "SELECT DISTINCT job_id FROM fault_starts WHERE at < to_timestamp($1::float8)", struck_at
    )
    ends = [
        status.finished_at.timestamp()
        for status in (await harness.statuses([row["job_id"] for row in rows])).values()
        if status.finished_at is not None and status.finished_at.timestamp() > struck_at
    ]
    return max(ends) - back_at if ends else None


async def unrecorded_of(harness: Harness, job_ids: Sequence[str]) -> int:
    """Of how many jobs the history does not tell, or does not know that they have ended."""
    unrecorded = len(job_ids)

    async def told() -> bool:
        nonlocal unrecorded
        unrecorded = len(job_ids) - (await harness.query(_TOLD, list(job_ids)))[0][0]
        return not unrecorded

    # Records are written soon after, never before a run's end is told.
    with suppress(TimeoutError):
        await until(told, _HISTORY_SECONDS, every=0.1)
    return unrecorded


def _succeeded(status: JobInfo | None) -> bool:
    return status is not None and status.status is JobStatus.SUCCEEDED


def _code(status: JobInfo | None) -> str | None:
    return None if status is None or status.error is None else status.error.code

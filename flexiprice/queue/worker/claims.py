"""Claims jobs for a worker and releases them, each in one atomic round trip.

A claim sets the worker in the job's in-progress key and adds the job to the worker's list of running jobs.
Only the worker that holds the claim can write the job's end: a lost worker writes nothing more.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, in_progress_key_prefix, job_key_prefix, retry_key_prefix, to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.scripts import CLAIM, LOOKED_AT, RELEASE
from flexiprice.queue.snapshot import decode_text
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.heartbeat import LEASE
from flexiprice.queue.worker.job_message import decode_message
from flexiprice.queue.worker.outcomes import Outcome
from flexiprice.queue.worker.releases import Release, pending_run
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.settings import Queue, Settings

# Claims normally end by release or by the reaper; this TTL is a safety net.
_CLAIM_TTL: Final = timedelta(days=3)
_RECORD_PREFIX: Final = keys.record_key("")


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The result of one claim call.

    Attributes:
        jobs: the claimed jobs.
        next_due_ms: milliseconds until the next job is due; None if unknown.
        revoked: ids of claimed and held jobs that are to be cancelled.
        looked_at: jobs at the head of the queue that the next call may skip.
    """

    jobs: Sequence[ClaimedJob]
    next_due_ms: int | None
    revoked: Sequence[str]
    looked_at: int = 0


# Id, due time, body, tries, record.
_JobReply = tuple[bytes, bytes, bytes | None, int, Sequence[bytes]]
# The jobs, the time until the next poll, the revoked ids, the time of Redis and the offset.
_ClaimReply = tuple[Sequence[_JobReply], int, Sequence[bytes], bytes, int]


class JobClaims:
    """Claims and releases jobs of one worker."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._kept_ms = to_ms(settings.result_retention) or 0
        self._unknown_task_timeout_ms = to_ms(settings.unknown_task_timeout) or 0
        self._claim = redis.register_script(CLAIM)
        self._release = redis.register_script(RELEASE)

    async def take(
        self,
        queue: Queue,
        *,
        room: int,
        window: int,
        held: Iterable[str],
        tasks: Iterable[str],
        looked_at: int = 0,
    ) -> ClaimResult:
        """Claims due jobs of a queue, and reads which jobs are revoked.

        Claims nothing if the worker's lease has expired or the queue is paused. Jobs of unknown tasks are
        left for other workers until they have waited too long.

        Args:
            queue: the queue.
            room: maximum number of jobs to claim.
            window: number of jobs that the script reads in one step.
            held: ids of the jobs that the worker runs.
            tasks: names of the tasks that the worker knows.
            looked_at: `looked_at` of the previous result.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        held = list(held)
        reply = cast(
            "_ClaimReply",
            await self._claim(
                keys=[
                    keys.queue_key(queue),
                    keys.PAUSED_QUEUES,
                    keys.WORKERS,
                    keys.running_key(self._worker_id),
                    keys.ABORTED_JOBS,
                    keys.LOST_WORKERS,
                    keys.lone_key(self._worker_id),
                ],
                args=[
                    self._worker_id,
                    queue.value,
                    room,
                    min(window, LOOKED_AT),
                    to_ms(LEASE) or 0,
                    to_ms(_CLAIM_TTL) or 0,
                    self._unknown_task_timeout_ms,
                    in_progress_key_prefix,
                    job_key_prefix,
                    _RECORD_PREFIX,
                    retry_key_prefix,
                    looked_at,
                    len(held),
                    *held,
                    *tasks,
                ],
            ),
        )
        claimed, pause, revoked, now, looked_at = reply
        jobs = [self._job(job, queue, int(now)) for job in claimed]
        next_due_ms = None if pause < 0 else pause
        return ClaimResult(jobs, next_due_ms, [job_id.decode() for job_id in revoked], looked_at)

    def _job(self, reply: _JobReply, queue: Queue, now_ms: int) -> ClaimedJob:
        job_id, due, body, tries, fields = reply
        record = {
            decode_text(name): decode_text(value)
            for name, value in zip(fields[::2], fields[1::2], strict=True)
        }
        return ClaimedJob(
            job_id=job_id.decode(),
            queue=queue,
            worker_id=self._worker_id,
            body=body,
            message=decode_message(body, tries=int(tries), record=record),
            tries=int(tries),
            due_ms=int(float(due)),
            started_ms=now_ms,
            record=record,
        )

    async def name_task(self, job: ClaimedJob, task: str) -> None:
        """Writes the task's name into the job's record, so that other workers need not decode the body."""
        await cast("Awaitable[int]", self._redis.hset(keys.record_key(job.job_id), "task", task))

    async def release(
        self, job: ClaimedJob, run: RunInfo | None, outcome: Outcome, *, finished_ms: int
    ) -> Outcome | None:
        """Releases a job after a run, and adds the run to the outbox in the same step.

        The call is idempotent. The reaper releases the jobs of lost workers.

        Args:
            job: the job.
            run: the run for the outbox; None if none has started.
            outcome: the outcome of the run.
            finished_ms: when the run ended; the same if the call is repeated.

        Returns:
            The written outcome: a failure if the task's return value cannot be stored. None if the job's
            worker no longer held the claim; then nothing is written.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        release = Release.of(job, outcome, finished_ms=finished_ms)
        record = None if run is None else pending_run(run, release.outcome, finished_ms=finished_ms)
        reply = cast(
            "int",
            await self._release(
                keys=[
                    keys.in_progress_key(job.job_id),
                    keys.running_key(job.worker_id),
                    keys.job_key(job.job_id),
                    keys.result_key(job.job_id),
                    keys.retry_key(job.job_id),
                    keys.record_key(job.job_id),
                    keys.queue_key(job.queue),
                    keys.ABORTED_JOBS,
                    keys.LOST_WORKERS,
                    keys.run_outbox_key(job.worker_id),
                ],
                args=[
                    job.worker_id,
                    job.job_id,
                    job.started_ms,
                    release.mode.value,
                    "" if release.loss is None else release.loss.value,
                    release.result,
                    self._kept_ms,
                    to_ms(release.delay) or 0,
                    keys.notify_channel(job.queue),
                    keys.finished_channel(job.job_id),
                    "" if record is None else str(record.run_id),
                    b"" if record is None else record.to_bytes(),
                    release.dead_letter.reason,
                    release.dead_letter.content,
                ],
            ),
        )
        return release.outcome if reply == 1 else None

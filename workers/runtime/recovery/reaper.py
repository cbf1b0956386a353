"""Requeues the jobs of dead workers, after the database has fenced them."""

import asyncio
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError

from flexiprice.db.engine import database_errors
from flexiprice.errors import DatabaseUnavailable, WorkerLost
from flexiprice.queue.arq import ArqRedis, to_unix_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.claimed_job import ClaimedJob, jobs_running_on
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.losses import Loss, is_to_be_given_up, judge_loss
from flexiprice.queue.worker.outcomes import GivenUp, Lost
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.runs.fencing import fence_worker
from flexiprice.runs.recording import LOST_MESSAGE
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.recording.run_events import RunFinished
from workers.runtime.recovery.heartbeat import WorkerIdMailbox
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# If the reaper dies, another worker may take over after this long.
_LOCK_TTL: Final = timedelta(seconds=5)
_FENCE_TIMEOUT: Final = timedelta(seconds=4)
_RETRY_SECONDS: Final = 0.5


class Reaper:
    """Waits for dead workers, and requeues or gives up their jobs."""

    def __init__(self, context: WorkerContext, lost: WorkerIdMailbox, *, worker_id: str) -> None:
        """Binds the reaper to its worker.

        Args:
            context: the resources of the worker process.
            lost: ids of workers whose lease has expired.
            worker_id: the reaping worker.
        """
        self._redis: ArqRedis = context.redis
        self._sessions = context.sessions
        self._metrics = context.metrics
        self._observer = context.observer
        self._clock = context.clock
        self._claims = JobClaims(context.redis, context.settings, worker_id=worker_id)
        self._lost = lost
        self._worker_id = worker_id
        self._postponed: set[str] = set()

    async def main(self) -> None:
        """Reaps until it is cancelled."""
        while True:
            for worker_id in await self._lost.get():
                try:
                    await self._reap(worker_id)
                except REDIS_UNAVAILABLE as error:
                    _LOGGER.debug("reaping_postponed", error=str(error))
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _reap(self, worker_id: str) -> None:
        lock = keys.reaping_key(worker_id)
        if not await self._redis.set(lock, self._worker_id, nx=True, px=_LOCK_TTL):
            return
        try:
            if await self._fence(worker_id):
                await self._release_all(worker_id)
        finally:
            await self._redis.delete(lock)

    async def _fence(self, worker_id: str) -> bool:
        """Keeps the worker from committing. Returns False if PostgreSQL cannot confirm that now."""
        try:
            with database_errors():
                ended = await fence_worker(self._sessions, worker_id, time_limit=_FENCE_TIMEOUT)
        except (DatabaseUnavailable, DBAPIError, OSError) as error:
            if worker_id not in self._postponed:
                self._postponed.add(worker_id)
                _LOGGER.warning(
                    "fencing_postponed",
                    lost_worker=worker_id,
                    error=str(error),
                )
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        self._postponed.discard(worker_id)
        _LOGGER.warning("worker_lost", lost_worker=worker_id, sessions_ended=ended)
        return True

    async def _release_all(self, worker_id: str) -> None:
        jobs = await jobs_running_on(self._redis, worker_id)
        loss = await judge_loss(self._redis, worker_id, running=len(jobs))
        for job in jobs:
            if await is_to_be_given_up(self._redis, job, loss):
                await self._release(job, _given_up(job, loss))
            else:
                await self._release(job, Lost(WorkerLost(LOST_MESSAGE), loss))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.LOST_WORKERS, worker_id)
            # Its outbox is recorded later; nothing waits for that.
            pipe.zadd(keys.RUN_OUTBOX_WORKERS, {worker_id: to_unix_ms(self._clock())})
            pipe.delete(keys.running_key(worker_id), keys.worker_key(worker_id))
            pipe.delete(
                keys.worker_command_key(worker_id), keys.lone_key(worker_id), keys.loss_key(worker_id)
            )
            await pipe.execute()

    async def _release(self, job: ClaimedJob, outcome: Lost | GivenUp) -> None:
        run = RunInfo.of(job)
        # By the clock of Redis, but never before the start of the run.
        ended_at = max(run.started_at, self._clock())
        if not await self._claims.release(job, run, outcome, finished_ms=to_unix_ms(ended_at)):
            return
        facts = {"task": run.task, "lost_worker": job.worker_id, "losses": job.losses + 1}
        if isinstance(outcome, GivenUp):
            self._metrics.record_quarantined(WorkerLost.code)
            _LOGGER.error("job_given_up", job_id=job.job_id, lone_losses=job.lone_losses + 1, **facts)
        else:
            self._metrics.record_recovered()
            _LOGGER.warning("job_requeued", job_id=job.job_id, loss=outcome.loss.value, **facts)
        end = RunFinished(status=outcome.status, finished_at=ended_at, error=outcome.error)
        self._observer.run_lost(run, end)


def _given_up(job: ClaimedJob, loss: Loss) -> GivenUp:
    error = WorkerLost(
        f"{job.lone_losses + 1} workers died while they ran this job and nothing else; it is not run again. "
        "Look at their logs and memory, then retry or dismiss it."
    )
    return GivenUp(error, loss)

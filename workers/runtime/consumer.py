"""Running the jobs of one queue: arq's worker, woken instead of polling."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any, Final, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import Worker

from flexiprice.jobs import codec, keys
from flexiprice.jobs.announcements import Announcements
from flexiprice.jobs.declarations import TaskArguments
from flexiprice.jobs.scripts import CLAIM
from flexiprice.settings import Queue, Settings
from flexiprice.telemetry import get_logger
from workers.runtime.execution import arq_function
from workers.runtime.patience import AWAY, Patience
from workers.runtime.task import Task

_LOGGER = get_logger(__name__)
# While nothing is heard: for jobs of clients that announce nothing, and those of workers that died.
_LOOK_EVERY: Final = 1.0
# How soon a running job that is called off is found; arq announces nothing of it.
_LOOK_EVERY_WHILE_BUSY: Final = 0.5


class Consumer(Worker):
    """Takes jobs from one queue and runs them on the loop of the worker that started it.

    It takes jobs in one round trip, all that it has room for, and looks again when it hears of a new one,
    when one of its own ends, when the next deferred one is due, and from time to time.
    """

    def __init__(
        self,
        queue: Queue,
        tasks: Iterable[Task[TaskArguments]],
        *,
        settings: Settings,
        redis: ArqRedis,
        announcements: Announcements,
        patience: Patience,
        worker_id: str,
        ctx: dict[Any, Any],
    ) -> None:
        super().__init__(
            functions=[arq_function(task, settings) for task in tasks],
            queue_name=keys.queue_key(queue),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=settings.worker_concurrency,
            queue_read_limit=settings.worker_concurrency * settings.worker_prefetch,
            keep_result=settings.result_retention,
            allow_abort_jobs=True,
            job_serializer=codec.encode,
            job_deserializer=codec.decode,
            ctx=ctx,
            timezone=UTC,
            log_results=False,
        )
        self.queue = queue
        self._retention = settings.result_retention
        self._announcements = announcements
        self._patience = patience
        self._worker_id = worker_id
        self._claim = redis.register_script(CLAIM)
        self._wake = asyncio.Event()
        self._taking = asyncio.Lock()

    @property
    def running(self) -> int:
        """The number of jobs that it holds."""
        return self.job_counter

    async def main(self) -> None:
        """Takes and runs jobs until it is cancelled."""
        async with self._announcements.listening(keys.wake_channel(self.queue)) as self._wake:
            while True:
                self._wake.clear()
                pause = await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def stop_taking(self) -> None:
        """Takes no more jobs; what it was about to take is held when this returns."""
        self.allow_pick_jobs = False
        async with self._taking:
            pass

    def hand_back(self) -> None:
        """Cancels what still runs, to be run by another worker at once."""
        # The outer tasks are left alone: they write down that the job is free.
        for job_task in self.job_tasks.values():
            job_task.cancel()

    async def until_idle(self) -> None:
        """Returns when it holds no job."""
        while self.tasks:
            await asyncio.wait(self.tasks.values())
            self._forget_ended()

    async def _look(self) -> float:
        """Takes what is due; returns after how many seconds to look again."""
        self._forget_ended()
        pause = _LOOK_EVERY_WHILE_BUSY if self.tasks else _LOOK_EVERY
        try:
            if self.job_tasks:
                await self._cancel_aborted_jobs()
            async with self._taking:
                next_due_ms = await self._take_due()
        except AWAY as error:
            self._patience.lost(error)
            return _LOOK_EVERY
        self._patience.found()
        return pause if next_due_ms < 0 else min(pause, next_due_ms / 1000)

    async def _take_due(self) -> int:
        """Takes and starts what is due; returns in how many milliseconds the next job is, or -1."""
        room = self.max_jobs - self.job_counter
        if not (self.allow_pick_jobs and room):
            return -1
        reply = cast(
            "tuple[Sequence[bytes], int]",
            await self._claim(
                keys=[self.queue_name, keys.PAUSED_QUEUES],
                args=[
                    self._worker_id,
                    room,
                    self.queue_read_limit,
                    int(self.in_progress_timeout_s * 1000),
                    in_progress_key_prefix,
                    job_key_prefix,
                    keys.record_key(""),
                    *self.tasks,
                ],
            ),
        )
        taken, next_due_ms = reply
        for job_id, due_ms in zip(taken[::2], taken[1::2], strict=True):
            await self._start(job_id.decode(), int(float(due_ms)))
        return next_due_ms

    async def _start(self, job_id: str, due_ms: int) -> None:
        await self.sem.acquire()
        self.job_counter += 1
        job = self.loop.create_task(self.run_job(job_id, due_ms), name=f"job {job_id}")
        job.add_done_callback(self._ended)
        self.tasks[job_id] = job

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._release_sem_dec_counter_on_complete()
        self._wake.set()

    def _forget_ended(self) -> None:
        for job_id, job in list(self.tasks.items()):
            if not job.done():
                continue
            del self.tasks[job_id]
            if job.cancelled() or (error := job.exception()) is None:
                continue
            # Still marked as this worker's and no longer held, it is taken again.
            _LOGGER.error("a job could not be run", job_id=job_id, exc_info=error)

    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        """Writes down how a try ended, however long that takes, and tells who waits for it."""
        write = super().finish_job
        await self._patience.until_back(
            lambda: write(
                job_id,
                finish,
                result_data,
                result_timeout_s,
                keep_result_forever,
                incr_score,
                keep_in_progress,
            )
        )
        if finish:
            await self._patience.until_back(lambda: self._announce_end(job_id))
        elif incr_score is None:
            await self._patience.until_back(lambda: self._announce_hand_back(job_id))

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        """Writes down that a job could not be started, and tells who waits for it."""
        write = super().finish_failed_job
        await self._patience.until_back(lambda: write(job_id, result_data))
        await self._patience.until_back(lambda: self._announce_end(job_id))

    async def _announce_end(self, job_id: str) -> None:
        async with self.pool.pipeline(transaction=False) as pipe:
            pipe.pexpire(keys.record_key(job_id), self._retention)
            pipe.publish(keys.finished_channel(job_id), "")
            await pipe.execute()

    async def _announce_hand_back(self, job_id: str) -> None:
        async with self.pool.pipeline(transaction=False) as pipe:
            # It was this worker that ended, so the try does not count.
            pipe.decr(keys.retry_key(job_id))
            pipe.hdel(keys.record_key(job_id), "started", "worker")
            pipe.publish(keys.wake_channel(self.queue), "")
            await pipe.execute()

"""Runs that have ended, and that the history may not know of yet.

A run's end is noted in Redis in the very step that ends it, and the note is taken away when the history in
PostgreSQL has it. A worker that is killed in between leaves its notes behind, for others to write down.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from flexiprice.domain.run import RunStatus
from flexiprice.errors import CorruptMessage
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.heartbeat_scripts import ALL_TOLD
from flexiprice.settings import Queue

NO_WORKER: Final = ""
"""Stands for the worker of what was called off before any worker had it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRun:
    """How a run ended. What its job was told and what it came to stand where the job's result does.

    Attributes:
        run_id: the run's own.
        task: the task's name.
        job_id: the job that it is an attempt of.
        queue: where the job waited.
        attempt: its number among the job's attempts, from 1; 0 where the job ended without being started.
        state: how it ended.
        enqueued_ms: when the job was enqueued.
        due_ms: when it was to start.
        started_ms: when the run began.
        finished_ms: when it ended.
        error: why, where the job's result does not say so, because the job goes on.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: Queue
    attempt: int
    state: RunStatus
    enqueued_ms: int
    due_ms: int
    started_ms: int
    finished_ms: int
    error: BaseException | None = None

    def to_bytes(self) -> bytes:
        """As it is noted in Redis, under its run's id."""
        return codec.encode(
            {
                "task": self.task,
                "job_id": self.job_id,
                "queue": self.queue,
                "attempt": self.attempt,
                "state": self.state,
                "times": [self.enqueued_ms, self.due_ms, self.started_ms, self.finished_ms],
                "error": self.error,
            }
        )

    @classmethod
    def from_bytes(cls, run_id: str, note: bytes) -> "PendingRun":
        """Reads a note.

        Raises:
            CorruptMessage: it is none of ours.
        """
        told: dict[str, Any] = codec.decode(note)
        try:
            enqueued_ms, due_ms, started_ms, finished_ms = map(int, told["times"])
            return cls(
                run_id=UUID(run_id),
                task=str(told["task"]),
                job_id=str(told["job_id"]),
                queue=Queue(told["queue"]),
                attempt=int(told["attempt"]),
                state=RunStatus(told["state"]),
                enqueued_ms=enqueued_ms,
                due_ms=due_ms,
                started_ms=started_ms,
                finished_ms=finished_ms,
                error=told["error"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptMessage(f"the note of a run is not one of ours: {error}") from error


class RunOutbox:
    """What is noted in Redis of runs that may not be in the history yet, by worker."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def peek(self, worker_id: str, *, at_most: int) -> tuple[list[PendingRun], list[bytes]]:
        """Some of a worker's untold runs, and the ids of notes that nobody can read.

        Raises:
            redis.RedisError: as redis-py has it.
        """
        scan = cast(
            "Awaitable[tuple[int, dict[bytes, bytes]]]",
            self._redis.hscan(keys.run_outbox_key(worker_id), 0, count=at_most),
        )
        _, notes = await scan
        runs: list[PendingRun] = []
        unreadable: list[bytes] = []
        for encoded_id, note in notes.items():
            try:
                runs.append(PendingRun.from_bytes(encoded_id.decode(errors="replace"), note))
            except CorruptMessage:
                unreadable.append(encoded_id)
        return runs, unreadable

    async def acknowledge(self, worker_id: str, run_ids: Iterable[UUID | bytes]) -> None:
        """Takes away the notes of runs that the history knows.

        Raises:
            redis.RedisError: as redis-py has it.
        """
        ids = [run_id if isinstance(run_id, bytes) else str(run_id) for run_id in run_ids]
        if ids:
            gone = self._redis.hdel(keys.run_outbox_key(worker_id), *cast("list[str]", ids))
            await cast("Awaitable[int]", gone)

    async def close(self, worker_id: str) -> bool:
        """Forgets a worker that is gone, unless there are notes of it; returns whether it did.

        Raises:
            redis.RedisError: as redis-py has it.
        """
        forget = self._redis.register_script(ALL_TOLD)
        where = [keys.RUN_OUTBOX_WORKERS, keys.run_outbox_key(worker_id)]
        return cast("int", await forget(keys=where, args=[worker_id])) == 1

    async def adopt(self, worker_ids: Sequence[str], *, now_ms: int) -> None:
        """Has the runs of workers told of whom nobody knows anything any more.

        Workers that live, or whose jobs are yet to be given back, are left out.

        Raises:
            redis.RedisError: as redis-py has it.
        """
        if not worker_ids:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            for worker_id in worker_ids:
                pipe.zscore(keys.WORKERS, worker_id)
                pipe.zscore(keys.LOST_WORKERS, worker_id)
            known = await pipe.execute()
        gone = {
            worker_id: now_ms
            for index, worker_id in enumerate(worker_ids)
            if known[2 * index] is None and known[2 * index + 1] is None
        }
        if gone:
            await self._redis.zadd(keys.RUN_OUTBOX_WORKERS, gone)

"""The run outbox: finished runs in Redis that are not yet recorded in PostgreSQL.

The script that finishes a run also adds it to the outbox of its worker. The entry is removed when PostgreSQL
has the run. If the worker dies in between, another worker records its entries.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from flexiprice.domain.run import RunStatus
from flexiprice.errors import CorruptMessage
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.scripts import CLOSE_OUTBOX
from flexiprice.settings import Queue

NO_WORKER: Final = ""
"""Worker id for jobs that were revoked before any worker claimed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRun:
    """The end of a run. Arguments and result are in the job's own result.

    Attributes:
        run_id: the run's id.
        task: the task's name.
        job_id: the job.
        queue: the queue of the job.
        attempt: number of the attempt, from 1; 0 if the job was rejected without running.
        status: the final status.
        enqueued_ms: when the job was enqueued.
        due_ms: when it was due.
        started_ms: when the run started.
        finished_ms: when it ended.
        error: the error of a run whose job continues, so that there is no result yet.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: Queue
    attempt: int
    status: RunStatus
    enqueued_ms: int
    due_ms: int
    started_ms: int
    finished_ms: int
    error: BaseException | None = None

    def to_bytes(self) -> bytes:
        """Serialises the run for the outbox, where its key is the run's id."""
        return codec.encode(
            {
                "task": self.task,
                "job_id": self.job_id,
                "queue": self.queue,
                "attempt": self.attempt,
                "status": self.status,
                "times": [self.enqueued_ms, self.due_ms, self.started_ms, self.finished_ms],
                "error": self.error,
            }
        )

    @classmethod
    def from_bytes(cls, run_id: str, content: bytes) -> "PendingRun":
        """Deserialises an entry of the outbox.

        Raises:
            CorruptMessage: the entry is invalid.
        """
        fields: dict[str, Any] = codec.decode(content)
        try:
            enqueued_ms, due_ms, started_ms, finished_ms = map(int, fields["times"])
            return cls(
                run_id=UUID(run_id),
                task=str(fields["task"]),
                job_id=str(fields["job_id"]),
                queue=Queue(fields["queue"]),
                attempt=int(fields["attempt"]),
                status=RunStatus(fields["status"]),
                enqueued_ms=enqueued_ms,
                due_ms=due_ms,
                started_ms=started_ms,
                finished_ms=finished_ms,
                error=fields["error"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptMessage(f"invalid entry of the run outbox: {error}") from error


class RunOutbox:
    """The outbox of runs by worker, in Redis."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def peek(self, worker_id: str, *, at_most: int) -> tuple[list[PendingRun], list[bytes]]:
        """Returns some of a worker's runs, and the ids of unreadable entries.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        scan = cast(
            "Awaitable[tuple[int, dict[bytes, bytes]]]",
            self._redis.hscan(keys.run_outbox_key(worker_id), 0, count=at_most),
        )
        _, entries = await scan
        runs: list[PendingRun] = []
        unreadable: list[bytes] = []
        for encoded_id, content in entries.items():
            try:
                runs.append(PendingRun.from_bytes(encoded_id.decode(errors="replace"), content))
            except CorruptMessage:
                unreadable.append(encoded_id)
        return runs, unreadable

    async def acknowledge(self, worker_id: str, run_ids: Iterable[UUID | bytes]) -> None:
        """Removes runs that PostgreSQL has.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        ids = [run_id if isinstance(run_id, bytes) else str(run_id) for run_id in run_ids]
        if ids:
            delete = self._redis.hdel(keys.run_outbox_key(worker_id), *cast("list[str]", ids))
            await cast("Awaitable[int]", delete)

    async def close(self, worker_id: str) -> bool:
        """Removes a worker from the list if its outbox is empty; returns whether it did.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        close = self._redis.register_script(CLOSE_OUTBOX)
        script_keys = [keys.RUN_OUTBOX_WORKERS, keys.run_outbox_key(worker_id)]
        return cast("int", await close(keys=script_keys, args=[worker_id])) == 1

    async def adopt(self, worker_ids: Sequence[str], *, now_ms: int) -> None:
        """Adds dead workers to the list, so that their runs are recorded.

        Workers that are alive, or not yet reaped, are skipped.

        Raises:
            redis.RedisError: the call to Redis failed.
        """
        if not worker_ids:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            for worker_id in worker_ids:
                pipe.zscore(keys.WORKERS, worker_id)
                pipe.zscore(keys.LOST_WORKERS, worker_id)
            known = await pipe.execute()
        dead = {
            worker_id: now_ms
            for index, worker_id in enumerate(worker_ids)
            if known[2 * index] is None and known[2 * index + 1] is None
        }
        if dead:
            await self._redis.zadd(keys.RUN_OUTBOX_WORKERS, dead)

"""Sends commands to one worker."""

import asyncio
from datetime import timedelta
from typing import Final

from flexiprice.errors import NotFound
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.worker.heartbeat import WorkerCommand, WorkerStatus

# Several heartbeats; a worker that has not reacted by then hangs or has died.
_CONFIRMATION_TIMEOUT: Final = timedelta(seconds=8)
_POLL_SECONDS: Final = 0.2


async def command_worker(
    tasks: TaskQueue, worker_id: str, command: WorkerCommand, *, time_limit: timedelta = _CONFIRMATION_TIMEOUT
) -> bool:
    """Commands a worker to drain or to stop, and waits for its confirmation.

    Returns:
        Whether the worker has confirmed or ended; if not, the command is withdrawn.

    Raises:
        NotFound: no live worker has this id.
        RedisUnavailable: Redis does not answer.
    """
    key = keys.worker_command_key(worker_id)
    deadline = asyncio.get_running_loop().time() + time_limit.total_seconds()
    if await _state(tasks, worker_id) is None:
        raise NotFound(f"no worker {worker_id!r} is alive", field="worker_id")
    with redis_errors():
        # The TTL exceeds the wait only slightly, so that the command cannot take effect much later.
        await tasks.redis.set(key, command.value, px=time_limit * 2)
    while await _state(tasks, worker_id) is WorkerStatus.RUNNING:
        if asyncio.get_running_loop().time() >= deadline:
            with redis_errors():
                await tasks.redis.delete(key)
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def _state(tasks: TaskQueue, worker_id: str) -> WorkerStatus | None:
    states = {worker.worker_id: worker.status for worker in await tasks.live_workers()}
    return states.get(worker_id)

"""Telling one worker to end."""

import asyncio
from datetime import timedelta
from typing import Final

from flexiprice.errors import NotFound
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.worker.heartbeat import WorkerCommand, WorkerState

# A few heartbeats; a worker that has not looked by then hangs or is gone.
_CONFIRMATION: Final = timedelta(seconds=8)
_LOOK_EVERY_SECONDS: Final = 0.2


async def command_worker(
    tasks: TaskQueue, worker_id: str, command: WorkerCommand, *, patience: timedelta = _CONFIRMATION
) -> bool:
    """Tells a worker to drain or to stop, and waits until it says that it does, or is gone.

    Returns:
        Whether it does; where not, the order has been withdrawn.

    Raises:
        NotFound: no worker of this id lives.
        RedisUnavailable: Redis does not answer.
    """
    order = keys.worker_command_key(worker_id)
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    if await _state(tasks, worker_id) is None:
        raise NotFound(f"no worker {worker_id!r} is alive", field="worker_id")
    with redis_errors():
        # It outlives the wait, but not by so much that a later surprise could come of it.
        await tasks.redis.set(order, command.value, px=patience * 2)
    while await _state(tasks, worker_id) is WorkerState.RUNNING:
        if asyncio.get_running_loop().time() >= deadline:
            with redis_errors():
                await tasks.redis.delete(order)
            return False
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return True


async def _state(tasks: TaskQueue, worker_id: str) -> WorkerState | None:
    states = {worker.worker_id: worker.state for worker in await tasks.live_workers()}
    return states.get(worker_id)

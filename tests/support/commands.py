"""Commands of the command line, as the tests' fixtures run them."""

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from typing import Any

from click.testing import Result

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import Settings

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Command = Callable[..., Result]
# With a timeout, a command waits for a worker that is starting.
PATIENTLY = ("--wait", "--timeout", "2m")


def on_queue(settings: Settings, use: Callable[[TaskQueue], Coroutine[Any, Any, Any]]) -> Any:
    """The result of a call on a task queue that is open for it alone."""

    async def run() -> Any:
        redis = create_redis(settings, client_name="flexiprice-tests")
        tasks = TaskQueue(redis, settings)
        try:
            return await use(tasks)
        finally:
            await tasks.aclose()
            await redis.aclose(close_connection_pool=True)

    return asyncio.run(run())

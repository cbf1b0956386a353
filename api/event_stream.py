"""A task's changes as Server-Sent Events."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from api.schemas.operations import TaskDetails
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.status import JobInfo

# Sooner than proxies commonly end a connection on which nothing is said.
_STILL_THERE_EVERY_SECONDS: Final = 15.0
_ASKED_EVERY_SECONDS: Final = 2.0
_KEY_ENDED: Final = json.dumps({"code": "unauthorized", "message": "the key opens this no longer"})
# The loop itself keeps no task alive.
_ENDING: Final[set[asyncio.Task[None]]] = set()
EVENT_STREAM: Final[dict[str, Any]] = {
    "description": "The events, as they come.",
    "content": {
        "text/event-stream": {
            "schema": {
                "description": "One event.",
                "type": "object",
                "properties": {
                    "event": {"type": "string", "enum": ["status", "error"]},
                    "data": {"type": "string", "contentMediaType": "application/json"},
                },
                "required": ["event", "data"],
            },
            "example": 'event: status\ndata: {"task_id": "0b9f5e3c", "status": "running"}\n\n',
        }
    },
}


async def status_events(
    tasks: TaskQueue, task_id: str, may_go_on: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[str, None]:
    """The events of a task until it has ended; `error` is the last where that cannot be told any more.

    Args:
        tasks: knows the task.
        task_id: of the task.
        may_go_on: whether whoever listens may still do so; asked again and again.
    """
    said_at = asked_at = time.monotonic()
    told: asyncio.Queue[JobInfo | Exception | None] = asyncio.Queue(maxsize=1)
    following = asyncio.create_task(_follow(tasks, task_id, told))
    try:
        while True:
            if time.monotonic() - asked_at >= _ASKED_EVERY_SECONDS:
                if not await may_go_on():
                    yield _event("error", _KEY_ENDED)
                    return
                asked_at = time.monotonic()
            try:
                async with asyncio.timeout(_ASKED_EVERY_SECONDS):
                    change = await told.get()
            except TimeoutError:
                if time.monotonic() - said_at >= _STILL_THERE_EVERY_SECONDS:
                    said_at = time.monotonic()
                    yield ": still there\n\n"
                continue
            said_at = time.monotonic()
            match change:
                case None:
                    return
                case FlexiPriceError():
                    yield _event("error", json.dumps({"code": change.code, "message": change.message}))
                    return
                case Exception():
                    raise change
                case _:
                    yield _event("status", TaskDetails.of_job(change).model_dump_json())
    finally:
        # Not waited for: whoever stops this generator, because the client has left, leaves it no time to.
        ending = asyncio.create_task(cancelled(following))
        _ENDING.add(ending)
        ending.add_done_callback(_ENDING.discard)


async def _follow(tasks: TaskQueue, task_id: str, told: asyncio.Queue[JobInfo | Exception | None]) -> None:
    try:
        async with aclosing(tasks.follow(task_id)) as changes:
            async for status in changes:
                await told.put(status)
    except Exception as error:  # noqa: BLE001 -- raised again where it is waited for
        await told.put(error)
    else:
        await told.put(None)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"

"""Streams the status changes of a task as Server-Sent Events."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from api.schemas.operations import TaskDetailsOut
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.status import JobInfo

# Shorter than the idle timeout of common proxies.
_KEEPALIVE_SECONDS: Final = 15.0
_AUTHORIZE_EVERY_SECONDS: Final = 2.0
_KEY_ENDED: Final = json.dumps({"code": "unauthorized", "message": "the key opens this no longer"})
# Strong references: the event loop keeps only weak ones to its tasks.
_CANCELLATIONS: Final[set[asyncio.Task[None]]] = set()
EVENT_STREAM: Final[dict[str, Any]] = {
    "description": "The stream of events.",
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
    tasks: TaskQueue, task_id: str, is_authorized: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[str, None]:
    """Yields the events of a task until it has ended; `error` is the last if its status becomes unavailable.

    Args:
        tasks: queue of the task.
        task_id: id of the task.
        is_authorized: whether the client may still read; called every few seconds.
    """
    sent_at = authorized_at = time.monotonic()
    updates: asyncio.Queue[JobInfo | Exception | None] = asyncio.Queue(maxsize=1)
    following = asyncio.create_task(_follow(tasks, task_id, updates))
    try:
        while True:
            if time.monotonic() - authorized_at >= _AUTHORIZE_EVERY_SECONDS:
                if not await is_authorized():
                    yield _event("error", _KEY_ENDED)
                    return
                authorized_at = time.monotonic()
            try:
                async with asyncio.timeout(_AUTHORIZE_EVERY_SECONDS):
                    update = await updates.get()
            except TimeoutError:
                if time.monotonic() - sent_at >= _KEEPALIVE_SECONDS:
                    sent_at = time.monotonic()
                    yield ": still there\n\n"
                continue
            sent_at = time.monotonic()
            match update:
                case None:
                    return
                case FlexiPriceError():
                    yield _event("error", json.dumps({"code": update.code, "message": update.message}))
                    return
                case Exception():
                    raise update
                case _:
                    yield _event("status", TaskDetailsOut.of_job(update).model_dump_json())
    finally:
        # Not awaited: when the client disconnects, the server closes this generator without waiting.
        cancellation = asyncio.create_task(cancel_and_wait(following))
        _CANCELLATIONS.add(cancellation)
        cancellation.add_done_callback(_CANCELLATIONS.discard)


async def _follow(tasks: TaskQueue, task_id: str, updates: asyncio.Queue[JobInfo | Exception | None]) -> None:
    try:
        async with aclosing(tasks.follow(task_id)) as statuses:
            async for status in statuses:
                await updates.put(status)
    except Exception as error:  # noqa: BLE001 -- raised again by the reader of the queue
        await updates.put(error)
    else:
        await updates.put(None)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"

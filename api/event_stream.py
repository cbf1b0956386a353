"""A task's changes as Server-Sent Events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from api.schemas.operations import TaskDetails
from flexiprice.errors import FlexiPriceError
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.ending import cancelled
from flexiprice.jobs.status import JobStatus

# Sooner than proxies commonly end a connection on which nothing is said.
_STILL_THERE_EVERY_SECONDS: Final = 15.0
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


async def status_events(tasks: TaskQueue, task_id: str) -> AsyncGenerator[str, None]:
    """The events of a task until it has ended; `error` is the last where that cannot be told any more."""
    told: asyncio.Queue[JobStatus | Exception | None] = asyncio.Queue(maxsize=1)
    following = asyncio.create_task(_follow(tasks, task_id, told))
    try:
        while True:
            try:
                async with asyncio.timeout(_STILL_THERE_EVERY_SECONDS):
                    change = await told.get()
            except TimeoutError:
                yield ": still there\n\n"
                continue
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


async def _follow(tasks: TaskQueue, task_id: str, told: asyncio.Queue[JobStatus | Exception | None]) -> None:
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

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
EVENT_STREAM: Final[dict[str, Any]] = {
    "description": "The events, as they come.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'event: status\ndata: {"task_id": "0b9f5e3c", "status": "running"}\n\n',
        }
    },
}


async def status_events(tasks: TaskQueue, task_id: str) -> AsyncGenerator[str, None]:
    """The events of a task until it has ended; `error` is the last where that cannot be told any more."""
    async with aclosing(tasks.follow(task_id)) as changes:
        coming = asyncio.create_task(_next(changes))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=_STILL_THERE_EVERY_SECONDS)
                if not done:
                    yield ": still there\n\n"
                    continue
                try:
                    status = coming.result()
                except FlexiPriceError as error:
                    yield _event("error", json.dumps({"code": error.code, "message": error.message}))
                    return
                if status is None:
                    return
                yield _event("status", TaskDetails.of_job(status).model_dump_json())
                coming = asyncio.create_task(_next(changes))
        finally:
            await cancelled(coming)


async def _next(changes: AsyncGenerator[JobStatus]) -> JobStatus | None:
    """The next status; None where there is none to come, as no task may end with `StopAsyncIteration`."""
    return await anext(changes, None)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"

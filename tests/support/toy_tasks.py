"""Toy tasks that sleep, fail, wait for a release, or kill their worker."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from arq.connections import ArqRedis
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.errors import DatabaseUnavailable, NotFound
from flexiprice.queue.declarations import NoArguments, TaskArguments, TaskDeclaration
from flexiprice.queue.retry_policy import RetryPolicy
from flexiprice.settings import Queue
from workers.runtime.jobs.task import TaskContext, task


class Sum(TaskArguments):
    left: Decimal
    right: Decimal = Field(default=Decimal(1), ge=0)


class Seconds(TaskArguments):
    seconds: float = 0.0


class Held(TaskArguments):
    mark: int = 0


class Failure(TaskArguments):
    kind: str


class Returned(TaskArguments):
    size: int | None = None
    padding: str = ""


class Steps(TaskArguments):
    """With `held`, each step after the first waits until the one before is released."""

    count: int
    seconds: float = 0.0
    held: bool = False


class Tries(TaskArguments):
    until: int


class Effect(TaskArguments):
    """With `held`, it is held before the commit; the first `deaths` runs kill their worker after it."""

    held: bool = False
    deaths: int = 0


ADD = TaskDeclaration(name="add", queue=Queue.DISCOUNTS, arguments=Sum)
SLEEP = TaskDeclaration(name="sleep", queue=Queue.DISCOUNTS, arguments=Seconds)
SLEEP_ELSEWHERE = TaskDeclaration(name="sleep_elsewhere", queue=Queue.MAINTENANCE, arguments=Seconds)
HOLD = TaskDeclaration(name="hold", queue=Queue.DISCOUNTS, arguments=Held)
HOLD_ELSEWHERE = TaskDeclaration(name="hold_elsewhere", queue=Queue.MAINTENANCE, arguments=Held)
FAIL = TaskDeclaration(name="fail", queue=Queue.DISCOUNTS, arguments=Failure)
RETURN = TaskDeclaration(name="return", queue=Queue.DISCOUNTS, arguments=Returned)
HASTY = TaskDeclaration(
    name="hasty", queue=Queue.ANALYTICS, arguments=NoArguments, time_limit=timedelta(seconds=0.1)
)
FLAKY = TaskDeclaration(
    name="flaky",
    queue=Queue.DISCOUNTS,
    arguments=Tries,
    retry=RetryPolicy(max_tries=3, base=timedelta(milliseconds=40)),
)
RETRY_MUCH_LATER = TaskDeclaration(
    name="retry_much_later",
    queue=Queue.DISCOUNTS,
    arguments=NoArguments,
    retry=RetryPolicy(max_tries=2, base=timedelta(hours=1), cap=timedelta(hours=2)),
)
STUBBORN = TaskDeclaration(name="stubborn", queue=Queue.DISCOUNTS, arguments=NoArguments)
STEPS = TaskDeclaration(name="steps", queue=Queue.DISCOUNTS, arguments=Steps)
EFFECT = TaskDeclaration(
    name="effect",
    queue=Queue.DISCOUNTS,
    arguments=Effect,
    retry=RetryPolicy(base=timedelta(milliseconds=200), cap=timedelta(milliseconds=200)),
)
BLOCK = TaskDeclaration(name="block", queue=Queue.DISCOUNTS, arguments=Seconds)
POISON = TaskDeclaration(name="poison", queue=Queue.DISCOUNTS, arguments=NoArguments)
COUNT_STORES = TaskDeclaration(name="count_stores", queue=Queue.ANALYTICS, arguments=NoArguments)


async def release(redis: ArqRedis, *job_ids: str) -> None:
    """Releases jobs of `HOLD`, and other held jobs."""
    for job_id in job_ids:
        await redis.set(_released(job_id), 1)


async def released(run: TaskContext, step: str = "") -> None:
    """Returns when the test has released the job, or a step of it."""
    while not await run.resources.redis.exists(_released(run.job_id + step)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def _released(job_id: str) -> str:
    return f"test:released:{job_id}"


@task(ADD)
async def add(_: TaskContext, arguments: Sum) -> Decimal:
    return arguments.left + arguments.right


@task(SLEEP)
async def sleep(run: TaskContext, arguments: Seconds) -> int:
    await asyncio.sleep(arguments.seconds)
    return run.attempt


@task(SLEEP_ELSEWHERE)
async def sleep_elsewhere(run: TaskContext, arguments: Seconds) -> int:
    await asyncio.sleep(arguments.seconds)
    return run.attempt


@task(HOLD)
async def hold(run: TaskContext, _: Held) -> int:
    """Runs until the test releases it."""
    await released(run)
    return run.attempt


@task(HOLD_ELSEWHERE)
async def hold_elsewhere(run: TaskContext, _: Held) -> int:
    await released(run)
    return run.attempt


@task(FAIL)
async def fail(_: TaskContext, arguments: Failure) -> None:
    match arguments.kind:
        case "ours":
            raise NotFound("there is no such batch", batch_id=7)
        case "builtin":
            raise ValueError("secret at postgresql://user:hunter2@host/db")
        case "self-cancelled":
            raise asyncio.CancelledError
        case "speechless":

            class Speechless(Exception):
                def __str__(self) -> str:
                    raise RuntimeError("no text")

            raise Speechless
        case _:

            class Unheard(Exception):
                pass

            raise Unheard("of")


@task(RETURN)
async def return_(_: TaskContext, arguments: Returned) -> object:
    """Without a size, a value that no message can hold."""
    return object() if arguments.size is None else "x" * arguments.size


@task(HASTY)
async def hasty(_: TaskContext, __: NoArguments) -> None:
    await asyncio.sleep(60)


@task(FLAKY)
async def flaky(run: TaskContext, arguments: Tries) -> int:
    if run.attempt < arguments.until:
        raise DatabaseUnavailable("not yet")
    return run.attempt


@task(RETRY_MUCH_LATER)
async def retry_much_later(_: TaskContext, __: NoArguments) -> None:
    raise DatabaseUnavailable("not yet")


@task(COUNT_STORES)
async def count_stores(run: TaskContext, _: NoArguments) -> int:
    async with run.resources.sessions.begin() as session:
        return int((await session.execute(text("SELECT count(*) FROM stores"))).scalar_one())


@task(STUBBORN)
async def stubborn(run: TaskContext, _: NoArguments) -> str:
    """Takes no notice of being cancelled, until the test releases it."""
    going_on = asyncio.create_task(released(run))
    while not going_on.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([going_on])
    return "done"


@task(STEPS)
async def steps(run: TaskContext, arguments: Steps) -> int:
    for step in range(1, arguments.count + 1):
        run.report_progress(step, arguments.count, f"step {step}")
        if arguments.held and step < arguments.count:
            await released(run, f"/{step}")
        elif arguments.seconds or step % 1000 == 0:
            await asyncio.sleep(arguments.seconds)
    return arguments.count


@task(EFFECT)
async def effect(run: TaskContext, arguments: Effect) -> object:
    async def work(session: AsyncSession) -> str:
        insertion = "INSERT INTO effects (job_id, worker) VALUES (:job_id, :worker) RETURNING id"
        row = await session.scalar(text(insertion), {"job_id": run.job_id, "worker": run.worker_id})
        if arguments.held:
            await released(run)
        return f"effect {row}"

    result = await run.commit_once(work)
    async with run.resources.sessions.begin() as session:
        runs = "INSERT INTO attempts (job_id) VALUES (:job_id) RETURNING (SELECT count(*) FROM attempts)"
        attempts = await session.scalar(text(runs), {"job_id": run.job_id})
    if attempts + 1 <= arguments.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


@task(BLOCK)
async def block(_: TaskContext, arguments: Seconds) -> None:
    """Holds the event loop, and with it the worker's heartbeat."""
    time.sleep(arguments.seconds)  # noqa: ASYNC251 -- that is what it is for


@task(POISON)
async def poison(_: TaskContext, __: NoArguments) -> None:
    os.kill(os.getpid(), signal.SIGKILL)

"""Tasks whose effect can be counted: a row that is committed with the job's id."""

import asyncio
import os
import signal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.clock import database_now
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.queue.declarations import NoArguments, Schedule, TaskArguments, TaskDeclaration
from flexiprice.settings import Queue
from workers.runtime.jobs.task import TaskContext, task

TABLES = """
DROP TABLE IF EXISTS fault_starts, fault_effects;
CREATE TABLE fault_starts (job_id text, pid int, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE fault_effects (job_id text, pid int, at timestamptz DEFAULT clock_timestamp());
"""


class Pauses(TaskArguments):
    """Seconds between the effect and its commit, and between the commit and the end of the run."""

    before: float = 0.0
    after: float = 0.0


EFFECT = TaskDeclaration(name="fault_effect", queue=Queue.DISCOUNTS, arguments=Pauses)
RECOMPUTE = TaskDeclaration(name="fault_recompute", queue=Queue.DISCOUNTS, arguments=Pauses)
OF_TOMORROW = TaskDeclaration(name="fault_of_tomorrow", queue=Queue.DISCOUNTS, arguments=Pauses)
POISON = TaskDeclaration(name="fault_poison", queue=Queue.DISCOUNTS, arguments=NoArguments)
TICK = TaskDeclaration(name="fault_tick", queue=Queue.MAINTENANCE, arguments=NoArguments)
SLOW = TaskDeclaration(name="fault_slow_statement", queue=Queue.DISCOUNTS, arguments=Pauses)
TICKING = Schedule(name="fault_tick", task=TICK, setting="cleanup_schedule")


@task(EFFECT)
async def effect(run: TaskContext, arguments: Pauses) -> None:
    async def work(session: AsyncSession) -> None:
        await _note(session, "fault_effects", run)
        await asyncio.sleep(arguments.before)

    await _note_start(run)
    await run.commit_once(work)
    await asyncio.sleep(arguments.after)


@task(RECOMPUTE)
async def recompute(run: TaskContext, arguments: Pauses) -> None:
    """The whole recompute, held up with all of its locks before it commits."""

    async def work(session: AsyncSession) -> None:
        await recompute_all_discounts(session, now=await database_now(session))
        await _note(session, "fault_effects", run)
        await asyncio.sleep(arguments.before)

    await _note_start(run)
    await run.commit_once(work)


@task(SLOW)
async def slow_statement(run: TaskContext, arguments: Pauses) -> None:
    """One statement that takes its time."""

    async def work(session: AsyncSession) -> None:
        await _note(session, "fault_effects", run)
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": arguments.before})

    await _note_start(run)
    await run.commit_once(work)


@task(OF_TOMORROW)
async def of_tomorrow(run: TaskContext, _: Pauses) -> None:
    await run.commit_once(lambda session: _note(session, "fault_effects", run))


@task(POISON)
async def poison(run: TaskContext, _: NoArguments) -> None:
    await _note_start(run)
    os.kill(os.getpid(), signal.SIGKILL)


@task(TICK)
async def tick(run: TaskContext, _: NoArguments) -> None:
    await run.commit_once(lambda session: _note(session, "fault_effects", run))


async def _note_start(run: TaskContext) -> None:
    async with run.resources.sessions.begin() as session:
        await _note(session, "fault_starts", run)


async def _note(session: AsyncSession, table: str, run: TaskContext) -> None:
    insertion = text(f"INSERT INTO {table} (job_id, pid) VALUES (:job_id, :pid)")
    await session.execute(insertion, {"job_id": run.job_id, "pid": os.getpid()})

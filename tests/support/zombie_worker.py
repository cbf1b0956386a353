"""A worker's process that hangs in a transaction of a task and then continues.

Reads lines from its standard input and answers each on its standard output.
"""

import asyncio
import sys
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.errors import FlexiPriceError
from flexiprice.runs.fencing import session_name
from flexiprice.runs.receipts import begin_task, write_receipt
from flexiprice.settings import load_settings

_ENQUEUED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def effect(session: AsyncSession, worker_id: str) -> None:
    await begin_task(session, worker_id=worker_id, job_id="job", enqueued_at=_ENQUEUED_AT)
    await session.execute(text("INSERT INTO effects VALUES (:worker)"), {"worker": worker_id})
    await write_receipt(session, job_id="job", enqueued_at=_ENQUEUED_AT, result=b"")


async def hang_then_commit(sessions: async_sessionmaker[AsyncSession], worker_id: str) -> str:
    try:
        async with sessions.begin() as session:
            await effect(session, worker_id)
            say("hanging")
            sys.stdin.readline()
    except FlexiPriceError as error:
        return error.code
    return "committed"


async def main(database_url: str, worker_id: str) -> None:
    settings = load_settings(env_files=(), database_url=database_url)
    engine = create_engine(settings, application_name=session_name(worker_id))
    sessions = async_sessionmaker(engine)
    say(await hang_then_commit(sessions, worker_id))
    try:
        async with sessions.begin() as session:
            await effect(session, worker_id)
        say("committed")
    except FlexiPriceError as error:
        say(error.code)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

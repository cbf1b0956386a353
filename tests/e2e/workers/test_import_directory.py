"""A worker imports the files that are dropped into its directory, and reprices what they change."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.db.locks import Lock
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import IMPORT_DROPPED_FILES
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings, load_settings
from tests.support.waiting import until
from tests.support.workers import StartWorker

MODULE = "workers.settings"
WAIT = timedelta(seconds=120)
HEADER = "sku,name,category,base_price,expiry_date,quantity"

LOCKS = f"""
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE datname = current_database() AND locktype = 'advisory' AND objid = {int(Lock.IMPORTS)} AND granted
"""


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for the stock."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "stock").mkdir()
    return tmp_path


async def scalar(engine: AsyncEngine, query: str) -> object:
    async with engine.begin() as connection:
        return await connection.scalar(text(query))


def done(directory: Path) -> list[Path]:
    return sorted(directory.glob("done/stock/*.csv"))


async def test_a_dropped_file_is_imported_by_the_schedule_and_repriced(
    start_worker: StartWorker, directory: Path, engine: AsyncEngine
) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    (directory / "stock/a.csv").write_text(f"{HEADER}\nRYE,Rye bread,Bakery,4.00,{tomorrow},12\n")
    start_worker(MODULE, import_directory=str(directory), import_settle="0")

    async def has_discount() -> object:
        return await scalar(engine, "SELECT count(*) FROM discounts")

    await until(has_discount)
    assert len(done(directory)) == 1


async def test_a_worker_that_is_killed_amid_a_file_imports_it_once(
    start_worker: StartWorker, directory: Path, engine: AsyncEngine, queue: TaskQueue
) -> None:
    rows = [f"SKU{number},Roll,Bakery,0.49,2031-05-02,3" for number in range(20_000)]
    (directory / "stock/a.csv").write_text("\n".join([HEADER, *rows]))
    chosen = {"import_directory": str(directory), "import_settle": "0", "import_schedule": "0 0 1 1 *"}
    first = start_worker(MODULE, **chosen)
    job = await queue.enqueue(IMPORT_DROPPED_FILES)

    async def is_importing() -> object:
        return await scalar(engine, LOCKS)

    await until(is_importing)
    first.send_signal(signal.SIGKILL)
    await asyncio.to_thread(first.wait, 120)
    assert await scalar(engine, "SELECT count(*) FROM file_imports") == 0
    # The second worker runs the job again, once the first one is known to be dead.
    start_worker(MODULE, **chosen)
    assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
    assert await scalar(engine, "SELECT sum(quantity) / 1000 FROM batches") == 60_000
    assert await scalar(engine, "SELECT count(*) FROM file_imports") == 1
    assert len(done(directory)) == 1

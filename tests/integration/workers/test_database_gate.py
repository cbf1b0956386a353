"""While the database refuses work, jobs wait and keep their tries; they run when it works again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from flexiprice.db.sqlstate import refusal
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from flexiprice.resources import open_database
from flexiprice.settings import Settings, load_settings
from tests.support.servers import execute
from tests.support.toy_tasks import COUNT_STORES
from tests.support.waiting import until
from tests.support.workers import running, until_live
from workers.runtime.database_gate import DatabaseGate

WAIT = timedelta(seconds=40)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """Of a database of the test's own: others must not meet it without its tables."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
async def gate(settings: Settings) -> AsyncIterator[DatabaseGate]:
    async with open_database(settings, program="flexiprice-tests") as database:
        gate = DatabaseGate(database.sessions)
        yield gate
        await gate.aclose()


async def test_no_job_is_tried_in_vain_while_a_restore_has_the_tables(
    settings: Settings, queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    url = settings.require_database_url()
    async with running(settings) as worker:
        await until_live(queue)
        assert b"flexiprice_database_takes_work 1.0" in worker.metrics.render()
        await execute(url, "ALTER TABLE stores RENAME TO stores_of_before")
        first = await queue.enqueue(COUNT_STORES)

        async def met() -> bool:
            return (await queue.status(first.job_id)).status is JobStatus.RETRYING

        await until(met)
        assert b"flexiprice_database_takes_work 0.0" in worker.metrics.render()
        later = [(await queue.enqueue(COUNT_STORES)).job_id for _ in range(20)]
        await execute(url, "ALTER TABLE stores_of_before RENAME TO stores")
        ended = [await queue.wait(job_id, WAIT) for job_id in (first.job_id, *later)]

    assert {status.status for status in ended} == {JobStatus.SUCCEEDED}
    assert [status.attempt for status in ended] == [2, *[1] * 20]
    assert capsys.readouterr().out.count("database_refuses_work") == 1


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "42P01", "57P03"])
async def test_database_gate_opens_where_a_probe_finds_nothing_wrong(
    gate: DatabaseGate, sqlstate: str
) -> None:
    gate.observe(refusal(sqlstate))
    assert not gate.is_open

    async def is_open() -> bool:
        return gate.is_open

    await until(is_open)


@pytest.mark.parametrize("sqlstate", ["55P03", "57014", "40P01"])
async def test_a_lock_in_the_way_of_one_job_keeps_no_other_from_running(
    gate: DatabaseGate, sqlstate: str
) -> None:
    gate.observe(refusal(sqlstate))
    gate.observe(ValueError("a fault of ours"))
    gate.observe(None)
    assert gate.is_open


async def test_database_gate_stays_shut_until_every_table_has_its_key(
    gate: DatabaseGate, settings: Settings
) -> None:
    url = settings.require_database_url()
    await execute(url, "ALTER TABLE job_receipts DROP CONSTRAINT pk_job_receipts")
    gate.observe(refusal("42P10"))
    assert not await gate._accepts_work()
    await execute(url, "ALTER TABLE job_receipts ADD PRIMARY KEY (job_id, enqueued_at)")
    assert await gate._accepts_work()

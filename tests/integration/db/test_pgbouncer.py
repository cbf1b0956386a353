"""Everything works through PgBouncer in transaction mode, where a client has no session of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.errors import DatabaseUnavailable, InvalidSettings, WorkerFenced
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS, UPDATE_PRICE_HISTORY
from flexiprice.queue.status import JobStatus
from flexiprice.runs.fencing import fence_worker, register_worker, session_name
from flexiprice.runs.receipts import begin_task
from flexiprice.settings import Settings, load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN, activate_policy, create_product, day
from tests.support.pooler import pgbouncer
from tests.support.workers import running
from workers import tasks
from workers.runtime.jobs.task import tasks_in

SESSIONS = 3
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAIT = timedelta(seconds=120)
QUARTER_OFF_SOON = {
    # Or the price of yesterday would be held.
    "price_only_down": False,
    "rules": [{"name": "a quarter off", "days_to_expiry": {"max": 3}, "discount": "0.25"}],
}
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
def pooled(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The test's own database, through a pooler with fewer sessions than a client has connections."""
    with pgbouncer(settings.require_database_url(), tmp_path / "pooler", sessions=SESSIONS) as url:
        yield load_settings(
            env_files=(),
            database_url=url,
            redis_url=settings.require_redis_url(),
            database_prepared_statements=False,
            # More than there are sessions, and room for all reads of a test at once.
            database_pool_size=30,
            recompute_shards=4,
            recompute_shards_from=0,
        )


@asynccontextmanager
async def sessions_of(settings: Settings, name: str = "flexiprice-tests") -> AsyncIterator[Sessions]:
    engine = create_engine(settings, application_name=name)
    try:
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


async def many_transactions(settings: Settings) -> set[int]:
    """The server's sessions that many clients used, in transactions of two statements."""
    found: set[int] = set()

    async def client(own: Sessions) -> None:
        for number in range(15):
            async with own.begin() as session:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
                query = text("SELECT pg_backend_pid(), CAST(:number AS int)")
                assert (await session.execute(query, {"number": number})).one() == (pid, number)
                found.add(pid or 0)

    async with sessions_of(settings) as first, sessions_of(settings) as second, asyncio.TaskGroup() as group:
        for own in (first, second):
            for _ in range(8):
                group.create_task(client(own))
    return found


async def test_clients_share_the_sessions_where_nothing_is_prepared(pooled: Settings) -> None:
    assert 1 < len(await many_transactions(pooled)) <= SESSIONS


async def test_pooler_that_breaks_prepared_statements_is_named_with_its_setting(pooled: Settings) -> None:
    prepares = pooled.model_copy(update={"database_prepared_statements": True})
    with pytest.raises(ExceptionGroup) as caught:
        await many_transactions(prepares)
    assert caught.group_contains(
        InvalidSettings, match="FLEXIPRICE_DATABASE_PREPARED_STATEMENTS: must be false"
    )


async def test_a_shop_is_filled_priced_read_and_tidied(pooled: Settings) -> None:
    stock = [{"sku": "BREAD", "expiry_date": day(1), "quantity": 5, "lot": f"L{n}"} for n in range(200)]
    lines = "".join(f"{json.dumps(line)}\n" for line in stock)
    async with serve(pooled) as client, running(pooled, tasks_in(tasks)):
        await create_product(client)
        await activate_policy(client)
        report = (
            await client.put(
                f"{ADMIN}/batches", content=lines, headers={"Content-Type": "application/x-ndjson"}
            )
        ).json()
        await _succeeded(client, report["repricing"]["task_id"])
        await activate_policy(client, QUARTER_OFF_SOON)
        started = (await client.post(f"{ADMIN}/discounts/trigger-recompute")).json()
        recomputed = await _succeeded(client, started["task_id"])
        in_request = await client.post(f"{ADMIN}/discounts/trigger-recompute?async_task=false")
        for declaration in (UPDATE_PRICE_HISTORY, CLEANUP_EXPIRED_DISCOUNTS):
            run = await client.post(f"{ADMIN}/tasks", json={"task": declaration.name})
            await _succeeded(client, run.json()["task_id"])
        reads = await asyncio.gather(
            *(client.get(f"{ADMIN}/discounts?limit=100") for _ in range(10)),
            *(client.get("/api/v1/products/BREAD/price-history") for _ in range(5)),
            *(client.get(f"{ADMIN}/batches/{batch}") for batch in range(1, 11)),
        )
        price = (await client.get("/api/v1/products/BREAD/price")).json()
        gone = await client.delete(f"{ADMIN}/batches/1")

        async def recorded() -> set[str]:
            runs = (await client.get(f"{ADMIN}/tasks/runs?limit=100")).json()["items"]
            return {run["task"] for run in runs if run["status"] == "succeeded"}

        async with asyncio.timeout(120):
            while len(await recorded()) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    assert report["report"]["batches_new"] == recomputed["considered"] == recomputed["changed"] == 200
    assert in_request.json()["result"]["unchanged"] == 200
    assert {answer.status_code for answer in reads} == {200}
    assert (price["lowest_price"], gone.status_code) == ("3.00", 204)


async def _succeeded(client, task_id: str) -> dict:
    status = {"ready": False}
    async with asyncio.timeout(WAIT.total_seconds()):
        while not status["ready"]:
            status = (await client.get(f"{ADMIN}/discounts/task-status/{task_id}?wait=30")).json()
    assert status["status"] == JobStatus.SUCCEEDED, status
    return status["result"]


async def test_a_lost_worker_is_fenced_in_the_middle_of_a_transaction(pooled: Settings) -> None:
    async with sessions_of(pooled) as own, sessions_of(pooled, session_name("one")) as lost:
        await _register(own)
        async with lost() as hanging:
            await _begin(hanging)
            await hanging.execute(text("INSERT INTO effects VALUES ('one')"))
            assert await fence_worker(own, "one", now=NOON) >= 1
            with pytest.raises(DatabaseUnavailable):
                await hanging.execute(text("SELECT 1"))
        with pytest.raises(WorkerFenced):
            async with lost.begin() as session:
                await _begin(session)
        async with own.begin() as session:
            assert await session.scalar(text("SELECT count(*) FROM effects")) == 0


async def test_fencing_a_worker_spares_others_that_share_its_pooled_sessions(
    pooled: Settings,
) -> None:
    done = 0
    async with (
        sessions_of(pooled) as own,
        sessions_of(pooled, session_name("one")) as lost,
        sessions_of(pooled, session_name("two")) as busy,
    ):
        await _register(own)

        async def work() -> None:
            nonlocal done
            while done < 100:
                try:
                    async with busy.begin() as session:
                        await _begin(session, "two")
                        await session.execute(text("INSERT INTO effects VALUES ('two')"))
                except DatabaseUnavailable:
                    continue
                done += 1

        working = asyncio.create_task(work())
        async with lost() as hanging:
            await _begin(hanging)
            await fence_worker(own, "one", now=NOON)
            with pytest.raises(DatabaseUnavailable):
                await hanging.execute(text("SELECT 1"))
        await working
        async with own.begin() as session:
            assert await session.scalar(text("SELECT count(*) FROM effects")) == done


async def test_worker_row_prevents_early_fencing_where_the_pooler_hides_session_names(
    settings: Settings, tmp_path: Path
) -> None:
    direct = settings.require_database_url()
    with pgbouncer(direct, tmp_path / "hiding", sessions=SESSIONS, application_name_add_host=1) as url:
        hiding = load_settings(env_files=(), database_url=url, database_prepared_statements=False)
        async with sessions_of(hiding) as own, sessions_of(hiding, session_name("one")) as lost:
            await _register(own)
            async with lost() as hanging:
                await _begin(hanging)
                with pytest.raises(DatabaseUnavailable):
                    await fence_worker(own, "one", now=NOON, time_limit=timedelta(seconds=0.6))
            await fence_worker(own, "one", now=NOON)
            with pytest.raises(WorkerFenced):
                async with lost.begin() as session:
                    await _begin(session)


async def _register(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE effects (worker text)"))
        for worker_id in ("one", "two"):
            await register_worker(session, worker_id=worker_id, host="till", pid=7, started_at=NOON)


async def _begin(session: AsyncSession, worker_id: str = "one") -> None:
    await begin_task(session, worker_id=worker_id, job_id="job", enqueued_at=NOON)

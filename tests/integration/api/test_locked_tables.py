"""A locked table: its requests end soon, and the rest of the API works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.settings import Settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN, create_product

PRICE = "/api/v1/products/BREAD/price"


@pytest.fixture
def hasty(settings: Settings) -> Settings:
    soon = timedelta(seconds=0.5)
    return settings.model_copy(
        update={
            "database_read_lock_timeout": soon,
            "database_write_lock_timeout": soon,
            # The connections that reads of the locked table leave serve nearly all other requests at once.
            "database_pool_size": 20,
        }
    )


@asynccontextmanager
async def locked(engine: AsyncEngine, table: str) -> AsyncIterator[None]:
    """As `VACUUM FULL`, a migration or an operator's session locks it."""
    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield


async def test_price_reads_of_a_locked_table_end_soon_and_take_no_connection_from_the_rest(
    hasty: Settings, engine: AsyncEngine
) -> None:
    async with serve(hasty) as client:
        await create_product(client)
        async with locked(engine, "products"):
            reads = [asyncio.create_task(client.get(PRICE)) for _ in range(25)]
            others = await asyncio.gather(*(client.get(f"{ADMIN}/stores") for _ in range(10)))
            still_waiting = sum(not read.done() for read in reads)
            async with asyncio.timeout(120):
                answers = await asyncio.gather(*reads)
        after = await client.get(PRICE)
    assert {other.status_code for other in others} == {200}
    assert still_waiting
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "database_busy")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert after.status_code == 200


async def test_a_write_into_a_locked_table_asks_to_come_back_later(
    hasty: Settings, engine: AsyncEngine
) -> None:
    async with serve(hasty) as client:
        await create_product(client)
        async with locked(engine, "products"):
            response = await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "6.00"})
        again = await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "6.00"})
    assert (response.status_code, response.json()["code"]) == (503, "database_busy")
    assert "lock" in response.json()["detail"]
    assert again.status_code == 200


@pytest.mark.parametrize("table", ["products, batches, discounts, price_history", "alembic_version"])
async def test_no_lock_on_a_table_makes_an_instance_unready(client, engine: AsyncEngine, table: str) -> None:
    async with locked(engine, table):
        reads = [asyncio.create_task(client.get(PRICE)) for _ in range(25)]
        await asyncio.sleep(0)
        checks = (await client.get("/api/v1/health/ready")).json()["checks"]
        await asyncio.gather(*reads)
    assert all(checks[name]["ok"] for name in ("database", "writes", "migrations")), checks

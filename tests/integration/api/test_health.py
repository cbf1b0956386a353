"""Liveness and readiness of the API."""

from importlib.metadata import version

from flexiprice.settings import load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN
from tests.support.servers import execute
from tests.support.waiting import until
from tests.support.workers import running
from workers import tasks
from workers.runtime.jobs.task import tasks_in

READY = "/api/v1/health/ready"


async def test_readiness_needs_database_schema_redis_and_a_worker(client, settings):
    async with running(settings, tasks_in(tasks)):
        await until(client.app.state.resources.tasks.live_workers)
        response = await client.get(READY)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "ready"
    assert {name: check["ok"] for name, check in response.json()["checks"].items()} == {
        "database": True, "writes": True, "migrations": True, "redis": True, "worker": True,
    }  # fmt: skip


async def test_readiness_without_a_worker_fails_and_says_what_to_do(client):
    response = await client.get(READY)
    assert response.status_code == 503
    assert [name for name, check in response.json()["checks"].items() if not check["ok"]] == ["worker"]
    assert "flexiprice worker" in response.json()["checks"]["worker"]["detail"]


async def test_readiness_without_migrations_fails_and_says_what_to_do(empty_database_url, redis_url):
    settings = load_settings(env_files=(), database_url=empty_database_url, redis_url=redis_url)
    async with serve(settings) as client:
        checks = (await client.get(READY)).json()["checks"]
    assert (checks["database"]["ok"], checks["migrations"]["ok"]) == (True, False)
    assert "flexiprice migrate" in checks["migrations"]["detail"]


async def test_a_redis_that_is_down_is_named_and_the_process_still_lives(client_without_redis):
    assert await broken(client_without_redis) == {"redis", "worker"}
    assert (await client_without_redis.get("/api/v1/health/live")).json() == {"status": "alive"}


async def test_a_database_that_is_down_is_named_and_the_process_still_lives(client_without_database):
    assert {"database", "writes", "migrations"} <= await broken(client_without_database)
    assert (await client_without_database.get("/api/v1/health/live")).json() == {"status": "alive"}


async def test_readiness_fails_while_a_server_refuses_writes(client, settings):
    async with running(settings, tasks_in(tasks)):
        await until(client.app.state.resources.tasks.live_workers)

        async def writes() -> tuple[int, dict]:
            response = await client.get(READY)
            return response.status_code, response.json()["checks"]["writes"]

        await client.app.state.resources.engine.dispose()
        url = settings.require_database_url()
        name = url.rpartition("/")[2]
        await execute(url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        status, check = await writes()
        assert (status, check["ok"]) == (503, False)
        assert "read-only" in check["detail"]
        refused = await client.post(f"{ADMIN}/stores", json={"code": "north", "time_zone": "UTC"})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert "read-only" in refused.json()["detail"]

        await execute(
            url,
            "SET default_transaction_read_only = off",
            f'ALTER DATABASE "{name}" RESET default_transaction_read_only',
        )
        await client.app.state.resources.engine.dispose()
        made = await client.post(f"{ADMIN}/stores", json={"code": "north", "time_zone": "UTC"})
        assert made.status_code == 201

        async def ready() -> bool:
            return (await writes())[0] == 200

        await until(ready)


async def broken(client) -> set[str]:
    """The checks that fail; their details hold no address and no user."""
    response = await client.get(READY)
    assert response.status_code == 503
    for particular in ("secret-word", "nobody", "127.0.0.1"):
        assert particular not in response.text
    return {name for name, check in response.json()["checks"].items() if not check["ok"]}


async def test_the_root_says_what_this_is_and_every_address_that_it_names_answers(reader, shared_settings):
    start = (await reader.get("/", headers={"X-API-Key": ""})).json()
    assert (start["name"], start["version"]) == ("FlexiPrice", version("flexiprice"))
    for name in ("docs", "openapi", "live"):
        assert (await reader.get(start[name])).status_code == 200, name
    assert (await reader.get(start["ready"])).status_code in {200, 503}
    paths = reader.app.openapi()["paths"]
    assert all(path == "/" or path.startswith(start["api"]) for path in paths)
    assert any(path.startswith(start["admin"]) for path in paths)
    async with serve(shared_settings.model_copy(update={"docs": False})) as client:
        start = (await client.get("/")).json()
        assert (start["docs"], start["openapi"]) == (None, None)

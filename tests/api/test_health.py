"""Whether the service lives and is ready."""

from flexiprice.settings import load_settings
from tests.api.conftest import serve
from tests.workers.conftest import running, until
from workers import tasks
from workers.runtime.task import tasks_in

READY = "/api/v1/health/ready"


async def test_it_is_ready_where_database_schema_redis_and_a_worker_are_there(client, settings):
    async with running(settings, tasks_in(tasks)):
        await until(client.app.state.resources.tasks.live_workers)
        response = await client.get(READY)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "ready"
    assert {name: check["ok"] for name, check in response.json()["checks"].items()} == {
        "database": True, "migrations": True, "redis": True, "worker": True,
    }  # fmt: skip


async def test_without_a_worker_it_is_not_ready_and_says_what_to_do(client):
    response = await client.get(READY)
    assert response.status_code == 503
    assert [name for name, check in response.json()["checks"].items() if not check["ok"]] == ["worker"]
    assert "flexiprice worker" in response.json()["checks"]["worker"]["detail"]


async def test_without_migrations_it_is_not_ready_and_says_what_to_do(empty_database_url, redis_url):
    settings = load_settings(env_files=(), database_url=empty_database_url, redis_url=redis_url)
    async with serve(settings) as client:
        checks = (await client.get(READY)).json()["checks"]
    assert (checks["database"]["ok"], checks["migrations"]["ok"]) == (True, False)
    assert "flexiprice migrate" in checks["migrations"]["detail"]


async def test_a_redis_that_is_down_is_named_and_the_process_still_lives(client_without_redis):
    assert await broken(client_without_redis) == {"redis", "worker"}
    assert (await client_without_redis.get("/api/v1/health/live")).json() == {"status": "alive"}


async def test_a_database_that_is_down_is_named_and_the_process_still_lives(client_without_database):
    assert {"database", "migrations"} <= await broken(client_without_database)
    assert (await client_without_database.get("/api/v1/health/live")).json() == {"status": "alive"}


async def broken(client) -> set[str]:
    """What is not ready; where it is and who asks for it is nobody's business."""
    response = await client.get(READY)
    assert response.status_code == 503
    for particular in ("secret-word", "nobody", "127.0.0.1"):
        assert particular not in response.text
    return {name for name, check in response.json()["checks"].items() if not check["ok"]}

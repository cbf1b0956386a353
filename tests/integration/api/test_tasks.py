"""Triggering a recompute, and reading its status."""

import asyncio
import time

from tests.support.catalogue import ADMIN, activate_policy, create_batch, create_product
from tests.support.workers import running
from workers import tasks
from workers.runtime.jobs.task import tasks_in

TRIGGER = f"{ADMIN}/discounts/trigger-recompute"


async def test_a_trigger_answers_at_once_with_a_task_that_can_be_asked_for(client):
    response = await client.post(TRIGGER)
    assert response.status_code == 202
    started = response.json()
    assert started["status"] == "queued"
    assert response.headers["location"] == started["status_url"]
    status = (await client.get(started["status_url"])).json()
    assert set(status) == {
        "task_id", "task", "queue", "status", "ready", "result", "error", "progress",
        "enqueued_at", "started_at", "finished_at", "attempt",
    }  # fmt: skip
    assert status["task_id"] == started["task_id"]
    assert (status["task"], status["queue"], status["status"]) == (
        "recompute_all_discounts",
        "discounts",
        "queued",
    )
    assert (status["ready"], status["result"], status["error"], status["attempt"]) == (False, None, None, 0)


async def test_a_wait_ends_with_the_task_and_brings_its_result(client, settings):
    await create_product(client)
    await activate_policy(client)
    started = (await client.post(TRIGGER)).json()
    waiting = asyncio.create_task(client.get(f"{started['status_url']}?wait=30", timeout=60))
    async with running(settings, tasks_in(tasks)):
        status = (await waiting).json()
    assert (status["status"], status["ready"], status["attempt"]) == ("succeeded", True, 1)
    assert status["result"]["opened"] == 0
    assert status["enqueued_at"] <= status["started_at"] <= status["finished_at"]


async def test_a_new_batch_is_priced_at_once(client, settings):
    await create_product(client)
    await activate_policy(client)
    async with running(settings, tasks_in(tasks)):
        batch = await create_batch(client)
        status = {"ready": False}
        async with asyncio.timeout(120):
            while not status["ready"]:
                url = f"{batch['repricing']['status_url']}?wait=30"
                status = (await client.get(url, timeout=60)).json()
    assert status["result"]["opened"] == 1
    assert (await client.get("/api/v1/products/BREAD/price")).json()["lowest_price"] == "2.00"


async def test_a_wait_for_a_task_that_does_not_end_is_over_in_time(client):
    started = (await client.post(TRIGGER)).json()
    began = time.monotonic()
    status = (await client.get(f"{started['status_url']}?wait=0.3")).json()
    assert time.monotonic() - began >= 0.3
    assert status["ready"] is False
    assert (await client.get(f"{started['status_url']}?wait=31")).status_code == 422


async def test_a_repeat_with_the_same_key_is_the_same_task(client):
    key = {"Idempotency-Key": "order 17/ü".encode()}
    responses = await asyncio.gather(*(client.post(TRIGGER, headers=key) for _ in range(5)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["task_id"] for response in responses}) == 1
    other = await client.post(TRIGGER, headers={"Idempotency-Key": "order 18"})
    assert other.json()["task_id"] != responses[0].json()["task_id"]
    assert (await client.post(TRIGGER)).json()["task_id"] != (await client.post(TRIGGER)).json()["task_id"]

    contradiction = await client.post(f"{TRIGGER}?days_threshold=7", headers=key)
    assert (contradiction.status_code, contradiction.json()["code"]) == (409, "conflict")


async def test_a_key_has_bounds(client):
    for key in ("", "x" * 256):
        response = await client.post(TRIGGER, headers={"Idempotency-Key": key})
        assert response.status_code == 422


async def test_an_unknown_task_is_not_found(reader):
    for task_id in ("nothing", "x" * 200, "a%0Ab", "%F0%9F%8D%9E"):
        response = await reader.get(f"{ADMIN}/discounts/task-status/{task_id}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (await reader.get(f"{ADMIN}/discounts/task-status/{'x' * 201}")).status_code == 422

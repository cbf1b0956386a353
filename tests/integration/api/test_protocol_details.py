"""Details of HTTP and JSON that a fuzzer found."""

import asyncio

import pytest
from structlog.testing import capture_logs

from api.event_stream import status_events
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS
from tests.support.catalogue import ADMIN, create_product, day


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("products", "GET, POST"),
        ("batches", "GET, POST, PUT"),
        ("batches/1", "DELETE, GET, PATCH"),
        ("products/BREAD/RYE", "DELETE, GET, PATCH"),
        ("policies/roll-back", "POST"),
        ("tasks/purge", "POST"),
    ],
)
async def test_a_method_that_is_not_there_is_answered_with_all_that_are(reader, path, methods):
    for method in ("OPTIONS", "TRACE", *({"GET"} - set(methods.split(", ")))):
        response = await reader.request(method, f"{ADMIN}/{path}")
        if path == "tasks/purge" and method == "GET":
            # It is the name of a task that does not exist, too.
            assert response.status_code == 404
            continue
        assert response.status_code == 405, method
        assert response.headers["allow"] == methods


async def test_number_is_no_instant(reader):
    for value in ("0.5", "1700000000", "20250331T090000Z"):
        response = await reader.get(f"{ADMIN}/audit", params={"until": value})
        assert response.status_code == 422, value
    response = await reader.get(f"{ADMIN}/audit", params={"until": "2025-03-31T09:00:00Z"})
    assert response.status_code == 200


async def test_a_whole_number_may_be_written_with_a_point(client):
    await create_product(client)
    for quantity, status in (("24.0", 201), ("24.5", 422), ("1e400", 422)):
        body = (
            f'{{"sku": "BREAD", "lot": "{quantity[:2]}", "expiry_date": "{day(1)}", "quantity": {quantity}}}'
        )
        headers = {"Content-Type": "application/json"}
        response = await client.post(f"{ADMIN}/batches", content=body, headers=headers)
        assert response.status_code == status, quantity


async def test_json_number_is_refused_where_an_object_is_expected(client):
    await create_product(client)
    headers = {"Content-Type": "application/json"}
    for body in ("0.0", "1.5", "1", '"x"', "[]", "true"):
        for method, path in (("POST", "discounts/preview"), ("PATCH", "products/BREAD"), ("POST", "stores")):
            response = await client.request(method, f"{ADMIN}/{path}", content=body, headers=headers)
            assert response.status_code == 422, (path, body)
            assert response.json()["errors"][0]["field"] == "body"


async def test_client_that_follows_a_task_may_leave_at_any_moment(reader):
    tasks = reader.app.state.resources.tasks
    job = await tasks.enqueue(CLEANUP_EXPIRED_DISCOUNTS)

    async def is_authorized() -> bool:
        return True

    events = status_events(tasks, job.job_id, is_authorized)
    assert "queued" in await anext(events)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.wait([waiting], timeout=0.1)
    with capture_logs() as said:
        # As Starlette's cancel scope does it: whatever is awaited is cancelled again.
        while not waiting.done():
            waiting.cancel()
            await asyncio.sleep(0)
    assert waiting.cancelled()
    assert said == []

"""The API while Redis or the database is down: the rest works, and 503 says when to retry."""

import pytest

from tests.support.catalogue import ADMIN, activate_policy, create_batch, create_product, day, recompute


def is_unavailable(response, code: str) -> bool:
    assert (response.status_code, response.json()["code"]) == (503, code)
    return int(response.headers["retry-after"]) > 0


async def test_without_redis_prices_are_served_and_changes_are_kept_for_the_next_recompute(
    client_without_redis,
):
    client = client_without_redis
    await create_product(client)
    batch = await create_batch(client)
    assert batch["repricing"] == {"status": "postponed", "task_id": None, "status_url": None}
    changed = await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "6.00"})
    assert changed.json()["repricing"]["status"] == "postponed"
    body = f'{{"sku": "BREAD", "expiry_date": "{day(1)}", "quantity": 3}}'
    headers = {"Content-Type": "application/x-ndjson"}
    report = (await client.put(f"{ADMIN}/batches", content=body, headers=headers)).json()
    assert (report["report"]["batches_updated"], report["repricing"]["status"]) == (1, "postponed")
    await activate_policy(client)
    await recompute(client)
    assert (await client.get("/api/v1/products/BREAD/price")).json()["lowest_price"] == "3.00"


async def test_endpoints_that_need_redis_answer_503_with_retry_after_without_it(client_without_redis):
    client = client_without_redis
    assert is_unavailable(await client.post(f"{ADMIN}/discounts/trigger-recompute"), "redis_unavailable")
    assert is_unavailable(await client.get(f"{ADMIN}/discounts/task-status/some?wait=1"), "redis_unavailable")


@pytest.mark.parametrize(
    "path",
    ["/api/v1/products/BREAD/price", f"{ADMIN}/batches", f"{ADMIN}/discounts", f"{ADMIN}/policies/active"],
)
async def test_endpoints_that_need_the_database_answer_503_with_retry_after(client_without_database, path):
    response = await client_without_database.get(path)
    assert is_unavailable(response, "database_unavailable")
    assert "secret-word" not in response.text


async def test_without_the_database_a_recompute_can_still_be_enqueued(client_without_database):
    response = await client_without_database.post(f"{ADMIN}/discounts/trigger-recompute")
    assert response.status_code == 202

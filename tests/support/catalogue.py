"""Requests that most tests of the API begin with: a product, a batch of it, a policy that discounts it."""

from datetime import UTC, datetime, timedelta

from httpx import AsyncClient

ADMIN = "/api/v1/admin"
HALF_OFF_SOON = {
    "rules": [{"name": "half off, soon over", "days_to_expiry": {"max": 3}, "discount": "0.5"}],
}


def day(days: int) -> str:
    """The date so many days from today in UTC, the time zone of `main`."""
    return str((datetime.now(UTC) + timedelta(days=days)).date())


async def create_product(client: AsyncClient, sku: str = "BREAD", **changes) -> dict:
    product = {"sku": sku, "name": "Rye bread", "category": "Bakery", "base_price": "4.00"} | changes
    response = await client.post(f"{ADMIN}/products", json=product)
    assert response.status_code == 201, response.text
    return response.json()


async def create_batch(client: AsyncClient, sku: str = "BREAD", *, days: int = 1, **changes) -> dict:
    batch = {"sku": sku, "expiry_date": day(days), "quantity": 10} | changes
    response = await client.post(f"{ADMIN}/batches", json=batch)
    assert response.status_code == 201, response.text
    return response.json()


async def activate_policy(client: AsyncClient, document: dict = HALF_OFF_SOON) -> int:
    response = await client.post(f"{ADMIN}/policies", json={"policy": document})
    assert response.status_code == 201, response.text
    version = response.json()["version"]
    response = await client.post(f"{ADMIN}/policies/{version}/activate?recompute=false")
    assert response.status_code == 200, response.text
    return version


async def recompute(client: AsyncClient) -> dict:
    response = await client.post(f"{ADMIN}/discounts/trigger-recompute?async_task=false")
    assert response.status_code == 200, response.text
    return response.json()["result"]


async def discounted_batch(client: AsyncClient) -> dict:
    """A batch of a product at 4.00 that costs 2.00 because it expires tomorrow."""
    await create_product(client)
    batch = await create_batch(client)
    await activate_policy(client)
    await recompute(client)
    return batch


async def pages(client, path: str, **query) -> list[list[dict]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        response = await client.get(path, params=query | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        found.append(response.json()["items"])
        cursor = response.json()["next_cursor"]
        if cursor is None:
            return found

"""`changed_since`: a client keeps a copy of a list by asking for what has changed since `as_of`."""

import pytest

from tests.support.catalogue import ADMIN, create_batch, create_product, day, discounted_batch, recompute

LISTS = ("products", "batches", "discounts", "stores", "policies")
LONG_AGO = "2020-01-01T00:00:00Z"


async def read(client, name: str, **query) -> dict:
    response = await client.get(f"{ADMIN}/{name}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("name", LISTS)
async def test_each_list_says_from_when_to_ask_next_and_then_tells_only_what_has_changed(client, name):
    batch = await discounted_batch(client)
    all_of_it = await read(client, name)
    assert all_of_it["items"]
    assert (await read(client, name, changed_since=LONG_AGO))["items"] == all_of_it["items"]
    assert (await read(client, name, changed_since="2999-01-01T00:00:00Z"))["items"] == []
    assert (await read(client, name, changed_since=all_of_it["as_of"]))["as_of"] >= all_of_it["as_of"]
    await create_product(client, "MILK", name="Milk")
    other = await create_batch(client, "MILK")
    await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json={"quantity_delta": -1})
    # Whatever a list shows of other tables counts as a change of its rows.
    shown = {
        "products": ("sku", {"MILK"}),
        "batches": ("batch_id", {batch["batch_id"], other["batch_id"]}),
        "discounts": ("batch_id", {batch["batch_id"]}),
    }
    if name in shown:
        key, changed = shown[name]
        items = (await read(client, name, changed_since=all_of_it["as_of"]))["items"]
        assert changed <= {item[key] for item in items}


async def test_a_renamed_product_is_a_change_of_its_batches_and_discounts(client):
    batch = await discounted_batch(client)
    later = "2999-01-01T00:00:00Z"
    as_of = (await read(client, "discounts"))["as_of"]
    await client.patch(f"{ADMIN}/products/BREAD", json={"name": "Rye bread, sliced"})
    for name in ("batches", "discounts"):
        (item,) = (await read(client, name, changed_since=as_of))["items"]
        assert (item["batch_id"], item["product"]) == (batch["batch_id"], "Rye bread, sliced")
        assert (await read(client, name, changed_since=later))["items"] == []


async def test_only_the_first_page_says_as_of_and_the_filter_holds_on_all_pages(client):
    for number in range(3):
        await create_product(client, f"SKU-{number}")
    first = await read(client, "products", changed_since=LONG_AGO, limit=2)
    assert first["as_of"] is not None
    second = await read(client, "products", changed_since=LONG_AGO, limit=2, cursor=first["next_cursor"])
    assert second["as_of"] is None
    assert [item["sku"] for item in [*first["items"], *second["items"]]] == ["SKU-0", "SKU-1", "SKU-2"]


async def test_versions_of_the_policy_come_in_pages(client):
    await discounted_batch(client)
    first = await read(client, "policies", limit=1)
    second = await read(client, "policies", limit=1, cursor=first["next_cursor"])
    versions = [item["version"] for item in [*first["items"], *second["items"]]]
    assert (versions, second["next_cursor"]) == ([2, 1], None)


async def test_a_recompute_that_changes_a_price_is_a_change_of_the_discount(client):
    batch = await discounted_batch(client)
    await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "3.00"})
    before = (await read(client, "discounts"))["items"][0]
    assert (await recompute(client))["changed"] == 1
    (after,) = (await read(client, "discounts", changed_since=before["changed_at"]))["items"]
    assert (after["batch_id"], after["price"]) == (batch["batch_id"], "1.50")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("instant", [day(0), "2025-03-31T09:00:00", "1743411600", "yesterday"])
async def test_an_instant_without_a_zone_or_no_instant_is_refused(reader, name, instant):
    response = await reader.get(f"{ADMIN}/{name}", params={"changed_since": instant})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].endswith("changed_since")

"""Stores, products and batches over HTTP."""

import asyncio
import json

import pytest

from tests.support.catalogue import (
    ADMIN,
    activate_policy,
    create_batch,
    create_product,
    day,
    discounted_batch,
    recompute,
)


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


async def test_a_store_is_created_read_moved_and_deleted(client):
    created = await client.post(f"{ADMIN}/stores", json={"code": "berlin", "time_zone": "Europe/Berlin"})
    assert created.status_code == 201
    place = created.headers["location"]
    assert (await client.get(place)).json()["time_zone"] == "Europe/Berlin"

    moved = await client.patch(place, json={"time_zone": "Asia/Tokyo"})
    assert moved.json()["time_zone"] == "Asia/Tokyo"
    assert moved.json()["repricing"]["status"] == "queued"

    assert [store["code"] for store in (await client.get(f"{ADMIN}/stores")).json()["items"]] == [
        "berlin",
        "main",
    ]
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(place)).status_code == 404
    assert (await client.delete(place)).status_code == 404


async def test_stores_that_cannot_be_are_refused_with_the_reason(reader):
    for body, field in (
        ({"code": "Berlin"}, "code"),
        ({"code": "x" * 41}, "code"),
        ({"code": "berlin\n"}, "code"),
        ({"code": "berlin", "time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"code": "berlin", "time_zone": "FOO3"}, "time_zone"),
        ({"code": "berlin", "colour": "red"}, "colour"),
        ({}, "code"),
    ):
        response = await reader.post(f"{ADMIN}/stores", json=body)
        assert response.status_code == 422, body
        assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await reader.post(f"{ADMIN}/stores", json={"code": "main"})).status_code == 409
    for response in (
        await reader.post(f"{ADMIN}/stores", json={"code": "Berlin"}),
        await reader.get(f"{ADMIN}/batches?store=Berlin"),
    ):
        [error] = response.json()["errors"]
        assert error["reason"] == (
            "must be lower-case letters, digits, - and _, beginning with a letter or digit, such as berlin-2"
        )
    assert (await reader.delete(f"{ADMIN}/stores/main")).status_code == 409


async def test_a_product_is_created_read_changed_and_deleted(client):
    created = await client.post(
        f"{ADMIN}/products",
        json={
            "sku": "A/1 ü",
            "name": "Müsli",
            "category": " Pantry ",
            "base_price": 3.1,
            "unit_cost": "1.20",
        },
    )
    assert created.status_code == 201, created.text
    place = created.headers["location"]
    product = (await client.get(place)).json()
    assert (product["sku"], product["category"]) == ("A/1 ü", "Pantry")
    assert (product["base_price"], product["unit_cost"]) == ("3.10", "1.20")

    changed = await client.patch(place, json={"name": "Muesli", "unit_cost": None})
    assert (changed.json()["name"], changed.json()["unit_cost"]) == ("Muesli", None)
    assert (changed.json()["base_price"], changed.json()["category"]) == ("3.10", "Pantry")
    assert changed.json()["updated_at"] > changed.json()["created_at"]

    renamed = await client.patch(place, json={"sku": "A-1"})
    assert renamed.json()["sku"] == "A-1"
    assert (await client.get(place)).status_code == 404
    assert (await client.delete(f"{ADMIN}/products/A-1")).status_code == 204
    assert (await client.get(f"{ADMIN}/products/A-1")).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", ""),
        ("sku", "   "),
        ("sku", "x" * 65),
        ("sku", "a\x00b"),
        ("sku", 7),
        ("name", "line\nbreak"),
        ("name", None),
        ("category", "x" * 101),
        ("base_price", 0),
        ("base_price", "0.009"),
        ("base_price", "1.234"),
        ("base_price", "10000000000"),
        ("base_price", "1e3"),
        ("base_price", "NaN"),
        ("base_price", True),
        ("base_price", None),
        ("unit_cost", "-0.01"),
        ("unit_cost", {}),
        ("id", 1),
    ],
)
async def test_a_product_with_a_bad_field_is_refused_by_that_fields_name(reader, field, value):
    good = {"sku": "A", "name": "A", "category": "A", "base_price": "1.00"}
    response = await reader.post(f"{ADMIN}/products", json=good | {field: value})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await reader.get(f"{ADMIN}/products")).json()["items"] == []


async def test_amounts_are_exact_whether_sent_as_strings_or_numbers(client):
    for number, (sent, kept) in enumerate(
        [
            ("9999999999.99", "9999999999.99"),
            ("0.1", "0.10"),
            ('"0.30"', "0.30"),
            ("1.10000", "1.10"),
            ("1e2", "100.00"),
        ]
    ):
        body = f'{{"sku": "S{number}", "name": "A", "category": "A", "base_price": {sent}}}'
        headers = {"Content-Type": "application/json"}
        response = await client.post(f"{ADMIN}/products", content=body, headers=headers)
        assert response.json()["base_price"] == kept, response.text


async def test_products_are_listed_by_page_category_in_any_spelling_and_search(client):
    for number in range(7):
        await create_product(
            client, f"P-{number}", category="Café" if number % 2 else "Bakery", name=f"No. {number}%"
        )
    assert [[item["sku"] for item in page] for page in await pages(client, f"{ADMIN}/products", limit=3)] == [
        ["P-0", "P-1", "P-2"],
        ["P-3", "P-4", "P-5"],
        ["P-6"],
    ]
    [found] = await pages(client, f"{ADMIN}/products", category="CAFE\u0301 ")
    assert [item["sku"] for item in found] == ["P-1", "P-3", "P-5"]
    for search, skus in (
        ("p-3", ["P-3"]),
        ("no. 4%", ["P-4"]),
        ("_", []),
        ("%", [f"P-{n}" for n in range(7)]),
    ):
        [found] = await pages(client, f"{ADMIN}/products", search=search)
        assert [item["sku"] for item in found] == skus


async def test_store_or_product_with_dependents_is_not_deleted(client):
    await create_product(client)
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    await create_batch(client, store="north")
    for path in ("stores/north", "products/BREAD"):
        response = await client.delete(f"{ADMIN}/{path}")
        assert response.status_code == 409
        assert "batches" in response.json()["detail"]


async def test_two_products_or_batches_cannot_share_a_key(client):
    await create_product(client)
    await create_product(client, "MILK")
    first, second = await create_batch(client, lot="a"), await create_batch(client, lot="b")
    key = {"sku": "BREAD", "expiry_date": first["expiry_date"], "quantity": 1}
    taken = [
        client.post(f"{ADMIN}/products", json={"sku": "MILK", "name": "M", "category": "M", "base_price": 1}),
        client.patch(f"{ADMIN}/products/BREAD", json={"sku": "MILK"}),
        client.post(f"{ADMIN}/batches", json=key | {"lot": "a"}),
        client.patch(f"{ADMIN}/batches/{second['batch_id']}", json={"lot": "a"}),
    ]
    for response in await asyncio.gather(*taken):
        assert (response.status_code, response.json()["code"]) == (409, "conflict")


async def test_a_batch_is_created_read_and_changed_and_is_priced_at_once(client):
    await create_product(client)
    batch = await create_batch(client, days=2, lot="L1", quantity=5)
    assert (batch["store"], batch["days_to_expiry"], batch["quantity"]) == ("main", 2, 5)
    assert batch["repricing"]["status"] == "queued"
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    assert (await client.get(batch["repricing"]["status_url"])).json()["task"] == "recompute_batches"

    changed = (await client.patch(place, json={"expiry_date": day(4), "quantity": 7})).json()
    assert (changed["days_to_expiry"], changed["quantity"], changed["lot"]) == (4, 7, "L1")
    assert changed["repricing"]["task_id"] != batch["repricing"]["task_id"]
    relabelled = (await client.patch(place, json={"lot": "L2"})).json()
    assert relabelled["repricing"]["status"] == "not_needed"
    assert (await client.get(place)).json()["lot"] == "L2"


async def test_only_a_change_of_price_cost_or_category_reprices_the_products_batches(client):
    await create_product(client)
    await create_batch(client)
    repriced = {}
    for change in (
        {"name": "Loaf"},
        {"base_price": "5.00"},
        {"base_price": "5.0"},
        {"unit_cost": 1},
        {"category": "X"},
        {"category": "x"},
        {},
    ):
        response = await client.patch(f"{ADMIN}/products/BREAD", json=change)
        repriced[str(change)] = response.json()["repricing"]["status"]
    assert list(repriced.values()) == [
        "not_needed",
        "queued",
        "not_needed",
        "queued",
        "queued",
        "not_needed",
        "not_needed",
    ]


async def test_sales_at_the_same_moment_are_all_counted_and_never_below_zero(client):
    await create_product(client)
    batch = await create_batch(client, quantity=10)
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    sales = await asyncio.gather(*(client.patch(place, json={"quantity_delta": -3}) for _ in range(5)))
    assert sorted(sale.status_code for sale in sales) == [200, 200, 200, 409, 409]
    assert (await client.get(place)).json()["quantity"] == 1
    refused = next(sale.json() for sale in sales if sale.status_code == 409)
    assert refused["errors"][0]["field"] == "quantity_delta"
    assert "1 in stock" in refused["detail"]
    assert (await client.patch(place, json={"quantity_delta": 2_147_483_647})).status_code == 409
    both = await client.patch(place, json={"quantity": 1, "quantity_delta": 1})
    assert both.status_code == 422


async def test_batches_are_listed_by_store_product_category_expiry_and_stock(client):
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    await create_product(client)
    await create_product(client, "MILK", category="Dairy")
    ids = {
        name: (await create_batch(client, **batch))["batch_id"]
        for name, batch in {
            "expired": {"days": -1},
            "today": {"days": 0},
            "north": {"days": 5, "store": "north"},
            "milk": {"sku": "MILK", "days": 9, "quantity": 0},
        }.items()
    }
    for query, names in (
        ({}, ["expired", "today", "north", "milk"]),
        ({"store": "north"}, ["north"]),
        ({"sku": "MILK"}, ["milk"]),
        ({"category": "DAIRY"}, ["milk"]),
        ({"expiring_within": 5}, ["today", "north"]),
        ({"in_stock": True}, ["expired", "today", "north"]),
        ({"in_stock": False}, ["milk"]),
    ):
        found = await pages(client, f"{ADMIN}/batches", limit=2, **query)
        assert [item["batch_id"] for page in found for item in page] == [ids[name] for name in names], query
    unknown = await client.get(f"{ADMIN}/batches?store=south")
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (404, "store")


async def test_a_batch_needs_a_store_and_a_product_that_exist(client):
    await create_product(client)
    for change, field in (({"store": "nowhere"}, "store"), ({"sku": "NOTHING"}, "sku")):
        body = {"sku": "BREAD", "expiry_date": day(1), "quantity": 1} | change
        response = await client.post(f"{ADMIN}/batches", json=body)
        assert (response.status_code, response.json()["errors"][0]["field"]) == (404, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", -1),
        ("quantity", 2_147_483_648),
        ("quantity", "5"),
        ("quantity", 1.5),
        ("quantity", True),
        ("expiry_date", "2025-02-30"),
        ("expiry_date", "20250301"),
        ("expiry_date", 1740787200),
        ("expiry_date", "1740787200"),
        ("expiry_date", "9999-12-31"),
        ("expiry_date", "2025-03-01T00:00:00Z"),
        ("lot", "x" * 65),
        ("lot", "\u2028"),
        ("lot", "\ud800"),
    ],
)
async def test_a_batch_with_a_bad_field_is_refused_by_that_fields_name(reader, field, value):
    body = {"sku": "BREAD", "expiry_date": day(1), "quantity": 1} | {field: value}
    headers = {"Content-Type": "application/json"}
    response = await reader.post(f"{ADMIN}/batches", content=json.dumps(body), headers=headers)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_deleting_a_batch_closes_its_discount_in_the_ledger(client):
    batch = await discounted_batch(client)
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(place)).status_code == 404
    assert (await client.delete(place)).status_code == 404
    history = (await client.get(f"{ADMIN}/discounts/{batch['batch_id']}/history")).json()["items"]
    assert [(line["kind"], line["close_reason"]) for line in history] == [
        ("closed", "deleted"),
        ("opened", None),
    ]
    assert (await client.get(f"{ADMIN}/discounts")).json()["items"] == []


async def test_deleting_a_batch_beside_a_recompute_breaks_neither(client):
    await create_product(client)
    await activate_policy(client)
    # No more than the endpoint's share of the connections: what waits for a turn may be asked to come again.
    batches = [await create_batch(client, lot=str(number)) for number in range(5)]
    deleted, *_ = await asyncio.gather(
        asyncio.gather(*(client.delete(f"{ADMIN}/batches/{batch['batch_id']}") for batch in batches)),
        *(recompute(client) for _ in range(3)),
    )
    assert {response.status_code for response in deleted} == {204}

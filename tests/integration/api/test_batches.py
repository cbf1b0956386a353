"""Batches over HTTP."""

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
    pages,
    recompute,
)


async def test_a_batch_is_created_read_and_changed_and_is_priced_at_once(client):
    await create_product(client)
    batch = await create_batch(client, days=2, lot="L1", quantity=5)
    assert (batch["store"], batch["days_to_expiry"], batch["quantity"]) == ("main", 2, "5")
    assert batch["repricing"]["status"] == "queued"
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    assert (await client.get(batch["repricing"]["status_url"])).json()["task"] == "recompute_batches"

    changed = (await client.patch(place, json={"expiry_date": day(4), "quantity": 7})).json()
    assert (changed["days_to_expiry"], changed["quantity"], changed["lot"]) == (4, "7", "L1")
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
    assert (await client.get(place)).json()["quantity"] == "1"
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
        ("quantity", "five"),
        ("quantity", "1.0005"),
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
    # No more than the endpoint's share of the connections: a waiting request may be answered 503.
    batches = [await create_batch(client, lot=str(number)) for number in range(5)]
    deleted, *_ = await asyncio.gather(
        asyncio.gather(*(client.delete(f"{ADMIN}/batches/{batch['batch_id']}") for batch in batches)),
        *(recompute(client) for _ in range(3)),
    )
    assert {response.status_code for response in deleted} == {204}


async def test_a_lot_names_one_batch_and_without_a_lot_the_date_does(client):
    await create_product(client)
    first = await create_batch(client, days=1, lot="L1")
    second = await create_batch(client, days=1)
    third = await create_batch(client, days=2)
    of_lot, of_date = "with the lot 'L1'", f"without a lot that expires {day(1)}"
    for names, name in (({"lot": "L1", "expiry_date": day(9)}, of_lot), ({"expiry_date": day(1)}, of_date)):
        again = await client.post(f"{ADMIN}/batches", json={"sku": "BREAD", "quantity": 1, **names})
        assert (again.status_code, again.json()["detail"]) == (
            409,
            f"store 'main' already has a batch of 'BREAD' {name}",
        )
    for batch, change, name in (
        (second, {"lot": "L1"}, of_lot),
        (third, {"expiry_date": day(1)}, of_date),
        (first, {"lot": ""}, of_date),
    ):
        refused = await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json=change)
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            f"store 'main' has another batch of 'BREAD' {name}",
        )
    corrected = await client.patch(f"{ADMIN}/batches/{first['batch_id']}", json={"expiry_date": day(2)})
    assert corrected.json()["expiry_date"] == day(2), "another batch with this date has no lot"


async def test_goods_without_an_expiry_date_have_null_and_are_on_sale_at_the_base_price(client):
    await create_product(client)
    batch = await create_batch(client, expiry_date=None, lot="S-1")
    assert (batch["expiry_date"], batch["days_to_expiry"]) == (None, None)
    await activate_policy(client, {"rules": [{"name": "always", "discount": "0.5"}]})
    await recompute(client)
    price = (await client.get("/api/v1/products/BREAD/price")).json()
    assert [(each["expiry_date"], each["price"], each["rate"]) for each in price["batches"]] == [
        (None, "4.00", "0.0000")
    ]
    soon = (await client.get(f"{ADMIN}/batches", params={"expiring_within": 365})).json()
    assert soon["items"] == []
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    dated = (await client.patch(place, json={"expiry_date": day(1)})).json()
    assert (dated["expiry_date"], dated["days_to_expiry"]) == (day(1), 1)
    await recompute(client)
    undated = (await client.patch(place, json={"expiry_date": None})).json()
    assert undated["expiry_date"] is None
    await recompute(client)
    closed = (await client.get(f"{ADMIN}/discounts/{batch['batch_id']}/history")).json()["items"][0]
    assert (closed["kind"], closed["close_reason"]) == ("closed", "no_discount")
    assert (closed["expiry_date"], closed["days_to_expiry"]) == (None, None)


async def test_a_product_has_one_batch_without_lot_and_date(client):
    await create_product(client)
    await create_batch(client, expiry_date=None)
    again = await client.post(f"{ADMIN}/batches", json={"sku": "BREAD", "quantity": 1, "expiry_date": None})
    assert again.status_code == 409
    assert again.json()["detail"] == "store 'main' already has a batch of 'BREAD' without lot and expiry date"

"""The price of a product now and before, as a till asks for it."""

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

PRICE = "/api/v1/products/BREAD/price"


async def test_a_price_lists_each_batch_that_can_be_sold_with_its_why_and_never_the_cost(client):
    soon = await discounted_batch(client)
    await client.patch(f"{ADMIN}/products/BREAD", json={"unit_cost": "1.23"})
    later = await create_batch(client, days=20, lot="L2")
    await create_batch(client, days=-1)
    await create_batch(client, days=2, quantity=0)
    response = await client.get(PRICE)
    opened_at = response.json()["reduction"]["began_at"]
    reduction = {"began_at": opened_at, "prior_price": "4.00"}
    assert response.json() == {
        "sku": "BREAD",
        "store": "main",
        "currency": "EUR",
        "base_price": "4.00",
        "lowest_price": "2.00",
        "reduction": reduction,
        "batches": [
            {
                "batch_id": soon["batch_id"],
                "lot": "",
                "expiry_date": day(1),
                "price": "2.00",
                "rate": "0.5000",
                "rule": "half off, soon over",
                "limits": [],
                "reduction": reduction,
            },
            {
                "batch_id": later["batch_id"],
                "lot": "L2",
                "expiry_date": day(20),
                "price": "4.00",
                "rate": "0.0000",
                "rule": None,
                "limits": [],
                "reduction": None,
            },
        ],
    }
    assert "1.23" not in response.text


async def test_a_product_without_batches_in_a_store_costs_its_base_price_there(client):
    await discounted_batch(client)
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    price = (await client.get(f"{PRICE}?store=north")).json()
    assert (price["store"], price["lowest_price"], price["batches"]) == ("north", "4.00", [])


async def test_a_base_price_cut_below_an_open_discount_counts_at_once(client):
    await discounted_batch(client)
    await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "1.50"})
    price = (await client.get(PRICE)).json()
    assert price["lowest_price"] == "1.50"
    assert [(batch["price"], batch["rate"]) for batch in price["batches"]] == [("1.50", "0.0000")]


async def test_a_sku_with_a_slash_has_a_price_too(client):
    await create_product(client, "A/B/price")
    for path in ("/api/v1/products/A/B/price/price", "/api/v1/products/A%2FB%2Fprice/price"):
        assert (await client.get(path)).json()["sku"] == "A/B/price"


async def test_reduction_counts_in_the_lowest_price_before_any_snapshot(client):
    await discounted_batch(client)
    history = (await client.get(f"{PRICE}-history")).json()
    assert (history["sku"], history["store"], history["currency"]) == ("BREAD", "main", "EUR")
    assert (history["lowest_30_days"], history["snapshots"]) == ("2.00", [])


async def test_price_of_a_batch_counts_though_its_date_was_corrected_to_long_ago(client):
    batch = await discounted_batch(client)
    await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json={"expiry_date": day(-400)})
    await recompute(client)
    history = (await client.get(f"{PRICE}-history")).json()
    assert history["lowest_30_days"] == "2.00"


async def test_price_put_up_and_then_reduced_tells_the_price_before_it_was_put_up(client):
    await create_product(client, base_price="2.00")
    await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "3.00"})
    history = (await client.get(f"{PRICE}-history")).json()
    assert (history["lowest_30_days"], history["reduction"]) == ("2.00", None)
    assert [each["price"] for each in history["base_prices"]] == ["2.00", "3.00"]
    assert history["base_prices"][0]["valid_to"] == history["base_prices"][1]["valid_from"]

    await create_batch(client)
    await activate_policy(client)
    await recompute(client)
    price, history = [(await client.get(f"{PRICE}{suffix}")).json() for suffix in ("", "-history")]
    assert (price["base_price"], price["lowest_price"]) == ("3.00", "1.50")
    assert price["reduction"]["prior_price"] == "2.00"
    assert price["batches"][0]["reduction"] == price["reduction"] == history["reduction"]
    assert history["lowest_30_days"] == "1.50"


async def test_reduction_in_one_store_is_none_in_another(client):
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    await discounted_batch(client)
    price, history = [
        (await client.get(f"{PRICE}{suffix}?store=north")).json() for suffix in ("", "-history")
    ]
    assert (price["reduction"], history["reduction"]) == (None, None)
    assert (price["lowest_price"], history["lowest_30_days"]) == ("4.00", "4.00")


async def test_prices_of_a_deleted_batch_still_count(client):
    batch = await discounted_batch(client)
    assert (await client.delete(f"{ADMIN}/batches/{batch['batch_id']}")).status_code == 204
    history = (await client.get(f"{PRICE}-history")).json()
    assert (history["lowest_30_days"], history["reduction"]) == ("2.00", None)


@pytest.mark.parametrize("suffix", ["", "-history"])
async def test_an_unknown_product_or_store_has_no_price(client, suffix):
    await create_product(client)
    for path, field in (
        (f"/api/v1/products/NONE/price{suffix}", "sku"),
        (f"{PRICE}{suffix}?store=none", "store"),
    ):
        response = await client.get(path)
        assert (response.status_code, response.json()["errors"][0]["field"]) == (404, field)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2025-02-30", "from"),
        ("to=1", "to"),
        ("from=2025-02-02&to=2025-02-01", "from"),
        ("start=2025-02-02", "start"),
    ],
)
async def test_a_period_that_cannot_be_is_refused(reader, query, field):
    response = await reader.get(f"{PRICE}-history?{query}")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)

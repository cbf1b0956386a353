"""Discounts in force, their history, and what a recompute would change."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.catalogue import (
    ADMIN,
    HALF_OFF_SOON,
    activate_policy,
    create_batch,
    create_product,
    day,
    discounted_batch,
    recompute,
)


async def test_a_recompute_in_the_request_opens_changes_and_closes_and_says_how_many(client):
    batch = await discounted_batch(client)
    again = await recompute(client)
    assert {name: again[name] for name in ("considered", "opened", "changed", "closed", "unchanged")} == {
        "considered": 1,
        "opened": 0,
        "changed": 0,
        "closed": 0,
        "unchanged": 1,
    }
    await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": "8.00"})
    assert (await recompute(client))["changed"] == 1
    await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json={"quantity": 0})
    assert (await recompute(client))["closed"] == 1

    history = (await client.get(f"{ADMIN}/discounts/{batch['batch_id']}/history")).json()["items"]
    told = [(item["kind"], item["close_reason"], item["previous_price"], item["price"]) for item in history]
    assert told == [
        ("closed", "sold_out", "4.00", None),
        ("changed", None, "2.00", "4.00"),
        ("opened", None, None, "2.00"),
    ]


async def test_the_threshold_limits_what_may_open(client):
    await create_product(client)
    await create_batch(client, days=3)
    await activate_policy(client)
    path = f"{ADMIN}/discounts/trigger-recompute?async_task=false"
    nothing = (await client.post(f"{path}&days_threshold=2")).json()
    assert (nothing["status"], nothing["result"]["opened"]) == ("succeeded", 0)
    assert (await client.post(f"{path}&days_threshold=3")).json()["result"]["opened"] == 1


async def test_a_discount_in_force_says_what_it_is_for_and_why(client):
    batch = await discounted_batch(client)
    [discount] = (await client.get(f"{ADMIN}/discounts")).json()["items"]
    opened_at = datetime.fromisoformat(discount.pop("opened_at"))
    assert abs(datetime.now(UTC) - opened_at) < timedelta(minutes=5)
    assert discount.pop("changed_at").endswith("Z")
    assert discount == {
        "batch_id": batch["batch_id"],
        "store": "main",
        "sku": "BREAD",
        "product": "Rye bread",
        "category": "Bakery",
        "lot": "",
        "expiry_date": day(1),
        "days_to_expiry": 1,
        "quantity": "10",
        "unit": "each",
        "price": "2.00",
        "base_price": "4.00",
        "rate": "0.5000",
        "rule": "half off, soon over",
        "limits": [],
        "policy_version": 2,
    }


async def test_discounts_are_filtered_and_paged_by_batch_or_the_steepest_first(client):
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    await create_product(client)
    await create_product(client, "MILK", category="Dairy")
    batches = [
        await create_batch(client, days=0, quantity=5),
        await create_batch(client, "MILK", days=1, quantity=5),
        await create_batch(client, days=2, quantity=5, store="north"),
        await create_batch(client, days=2, quantity=90),
    ]
    ids = [batch["batch_id"] for batch in batches]
    await activate_policy(
        client,
        {
            "rules": [
                {"name": "last", "days_to_expiry": {"max": 0}, "discount": "0.6"},
                {"name": "soon", "days_to_expiry": {"min": 1, "max": 2}, "discount": "0.25"},
                {"name": "much", "quantity": {"min": 50}, "discount": "0.7"},
            ]
        },
    )
    await recompute(client)

    async def found(**query) -> list[int]:
        cursor, batch_ids = None, []
        while True:
            params = query | {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(f"{ADMIN}/discounts", params=params)).json()
            batch_ids += [item["batch_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return batch_ids

    assert await found() == ids
    assert await found(order="steepest") == [ids[3], ids[0], ids[1], ids[2]]
    assert await found(store="north") == [ids[2]]
    assert await found(category=" dairy") == [ids[1]]
    assert await found(expiring_within=1) == ids[:2]
    assert (await client.get(f"{ADMIN}/discounts?store=south")).status_code == 404


async def test_the_history_of_a_batch_is_paged_from_the_latest_on(client):
    batch = await discounted_batch(client)
    for price in (5, 6, 7):
        await client.patch(f"{ADMIN}/products/BREAD", json={"base_price": price})
        await recompute(client)
    path, prices, cursor = f"{ADMIN}/discounts/{batch['batch_id']}/history", [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(path, params=params)).json()
        prices += [item["price"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert prices == ["3.50", "3.00", "2.50", "2.00"]
    undecided = await create_batch(client, days=200)
    assert (await client.get(f"{ADMIN}/discounts/{undecided['batch_id']}/history")).json()["items"] == []
    assert (await client.get(f"{ADMIN}/discounts/999999/history")).status_code == 404


async def test_a_preview_shows_what_would_change_and_changes_nothing(client):
    batch = await discounted_batch(client)
    before = (await client.get(f"{ADMIN}/discounts")).json()
    unchanged = (await client.post(f"{ADMIN}/discounts/preview")).json()
    assert (unchanged["summary"]["unchanged"], unchanged["changes"]) == (1, [])

    gentler = {"rules": [{"name": "a quarter", "days_to_expiry": {"max": 9}, "discount": "0.25"}]}
    preview = (await client.post(f"{ADMIN}/discounts/preview", json={"policy": gentler})).json()
    [change] = preview["changes"]
    assert (change["batch_id"], change["kind"], change["rule"]) == (batch["batch_id"], "changed", "a quarter")
    assert (change["previous_price"], change["price"], change["base_price"]) == ("2.00", "3.00", "4.00")
    assert preview["truncated"] is False
    assert [(total["category"], total["changed"]) for total in preview["totals"]] == [("Bakery", 1)]

    expired = (await client.post(f"{ADMIN}/discounts/preview", json={"on": day(2)})).json()
    assert [(change["kind"], change["close_reason"]) for change in expired["changes"]] == [
        ("closed", "expired")
    ]
    elsewhere = (
        await client.post(f"{ADMIN}/discounts/preview", json={"policy": gentler, "category": "Dairy"})
    ).json()
    assert elsewhere["changes"] == []
    assert (await client.get(f"{ADMIN}/discounts")).json()["items"] == before["items"]


async def test_previews_of_very_different_policies_follow_each_other(client):
    await discounted_batch(client)
    everything = {"rules": [{"name": "all", "discount": "0.5"}], "min_margin_over_cost": "0.1"}
    for policy, closed in (({"rules": []}, 1), (everything, 0), ({"rules": []}, 1), (HALF_OFF_SOON, 0)):
        response = await client.post(f"{ADMIN}/discounts/preview", json={"policy": policy})
        assert response.status_code == 200, response.text
        assert response.json()["summary"]["closed"] == closed


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"policy": {"rulez": []}}, "rulez"),
        ({"policy": HALF_OFF_SOON | {"max_discount": 2}}, "max_discount"),
        ({"policy": []}, "policy"),
        ({"on": "tomorrow"}, "on"),
        ({"limit": 501}, "limit"),
        ({"days_threshold": 0}, "days_threshold"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_preview_of_something_else_is_refused(reader, body, field):
    response = await reader.post(f"{ADMIN}/discounts/preview", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]

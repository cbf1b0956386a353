"""Products over HTTP."""

import asyncio

import pytest

from tests.support.catalogue import (
    ADMIN,
    create_batch,
    create_product,
    pages,
)


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

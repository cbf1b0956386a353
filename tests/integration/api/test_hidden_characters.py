"""Every endpoint refuses hidden characters, and dates and codes that are ambiguous."""

import json

import pytest

from tests.support.catalogue import ADMIN, create_batch, create_product, day

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}


async def problems_of(client, content, headers) -> list[tuple[int, str, str]]:
    """Line, column and reason of all that is wrong with the rows of an upload."""
    answer = (await client.put(f"{ADMIN}/batches", content=content, headers=headers)).json()
    return [
        (row["line"], problem["column"], problem["reason"])
        for row in answer["report"]["bad_rows"]
        for problem in row["problems"]
    ]


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\ufeff"])
async def test_names_and_codes_with_hidden_characters_are_refused_at_every_endpoint(client, hidden):
    await create_product(client)
    batch = await create_batch(client)
    text = f"A{hidden}1"
    named = f"U+{ord(hidden):04X}"
    product = {"sku": "B", "name": "Rye", "category": "Bakery", "base_price": "1.00"}
    new_batch = {"sku": "BREAD", "expiry_date": day(1), "quantity": 1}
    attempts = [
        *(("POST", "/products", product | {field: text}) for field in ("sku", "name", "category")),
        *(("PATCH", "/products/BREAD", {field: text}) for field in ("name", "category")),
        ("POST", "/batches", new_batch | {"lot": text}),
        ("PATCH", f"/batches/{batch['batch_id']}", {"lot": text}),
        ("POST", "/policies", {"policy": {"rules": [{"name": text, "discount": 0.1}]}}),
        ("POST", "/policies", {"policy": {"categories": {text: {}}}}),
        ("POST", "/policies", {"policy": {}, "comment": text}),
    ]
    for method, path, body in attempts:
        response = await client.request(method, f"{ADMIN}{path}", json=body)
        assert (response.status_code, named in response.text) == (422, True), (path, response.text)
    assert (await client.post(f"{ADMIN}/stores", json={"code": text})).status_code == 422
    lines = f"sku,lot,expiry_date,quantity\nBREAD,{text},{day(1)},1\n"
    (found,) = await problems_of(client, lines, CSV)
    assert found[:2] == (2, "lot")
    assert named in found[2]


@pytest.mark.parametrize(
    "date", ["261127", "20261127", "2026-1-5", "2026-11-27T00:00:00Z", "27.11.2026", 20261127]
)
async def test_a_date_is_iso_8601_and_nothing_else(client, date):
    await create_product(client)
    body = {"sku": "BREAD", "expiry_date": date, "quantity": 1}
    response = await client.post(f"{ADMIN}/batches", json=body)
    assert "must be a date such as 2025-03-31" in response.text
    assert (await client.get(f"{ADMIN}/batches")).json()["items"] == []


@pytest.mark.parametrize("date", ["261127", "2026-1-5", "2026-11-27T08:00:00Z", "27.11.2026", 261127])
async def test_a_date_of_an_upload_is_never_guessed(client, date):
    await create_product(client)
    body = {"sku": "BREAD", "expiry_date": date, "quantity": 1}
    for content, headers in (
        (json.dumps(body), NDJSON),
        (f"sku,expiry_date,quantity\nBREAD,{date},1\n", CSV),
    ):
        ((_, column, reason),) = await problems_of(client, content, headers)
        assert column == "expiry_date"
        assert "date_format=" in reason or "timestamps=" in reason
    assert (await client.get(f"{ADMIN}/batches")).json()["items"] == []


async def test_upload_reads_numeric_codes_and_whole_numbers_with_decimals(client):
    await create_product(client, "4006381333931")
    lines = (
        {"sku": 4006381333931, "lot": 17, "expiry_date": day(1), "quantity": 3.0},
        {"sku": 4006381333931.5, "lot": True, "expiry_date": day(1), "quantity": 3.5},
        {"sku": "4006381333931", "expiry_date": day(1), "quantity": "3"},
    )
    content = "\n".join(map(json.dumps, lines))
    found = await problems_of(client, content, NDJSON)
    assert [(line, column) for line, column, _ in found] == [(2, "lot")]
    content = (
        f"sku,lot,expiry_date,quantity\n4006381333931,18,{day(1)},120.000\n4006381333931,19,{day(1)},12.350\n"
    )
    found = await problems_of(client, content, CSV)
    assert [(line, column) for line, column, _ in found] == [(3, "quantity")]
    items = (await client.get(f"{ADMIN}/batches")).json()["items"]
    assert {item["lot"]: item["quantity"] for item in items} == {"17": "3", "": "3", "18": "120"}

"""`PUT /admin/batches?complete=true`: the whole stock of a store at once."""

import json

from tests.support.catalogue import ADMIN, create_batch, create_product, day

NDJSON = {"Content-Type": "application/x-ndjson"}


def rows(*lots: str, quantity: object = 5) -> str:
    return "".join(
        json.dumps({"sku": "BREAD", "lot": lot, "expiry_date": day(1), "quantity": quantity}) + "\n"
        for lot in lots
    )


async def quantities(client) -> dict[str, str]:
    items = (await client.get(f"{ADMIN}/batches?limit=500")).json()["items"]
    return {item["lot"]: item["quantity"] for item in items}


async def test_absent_batches_are_sold_out_and_repriced(client):
    await create_product(client)
    for lot in "abcd":
        await create_batch(client, lot=lot, quantity=5)
    answer = (await client.put(f"{ADMIN}/batches?complete=true", content=rows(*"abc"), headers=NDJSON)).json()
    assert (answer["report"]["batches_sold_out"], answer["repricing"]["status"]) == (1, "queued")
    assert await quantities(client) == {"a": "5", "b": "5", "c": "5", "d": "0"}


async def test_file_that_leaves_out_much_is_refused_with_the_parameter_that_confirms_it(client):
    await create_product(client)
    for lot in "ab":
        await create_batch(client, lot=lot, quantity=5)
    refused = await client.put(f"{ADMIN}/batches?complete=true", content=rows("a"), headers=NDJSON)
    assert refused.status_code == 422
    assert "yes=true marks them as sold out" in refused.json()["detail"]
    assert await quantities(client) == {"a": "5", "b": "5"}
    confirmed = f"{ADMIN}/batches?complete=true&yes=true"
    assert (await client.put(confirmed, content=rows("a"), headers=NDJSON)).status_code == 200
    assert await quantities(client) == {"a": "5", "b": "0"}


async def test_one_bad_row_leaves_everything_as_it_was(client):
    await create_product(client)
    await create_batch(client, lot="a", quantity=5)
    body = rows("b") + rows("c", quantity="many")
    refused = await client.put(f"{ADMIN}/batches?complete=true&yes=true", content=body, headers=NDJSON)
    assert (refused.status_code, refused.json()["errors"][0]["line"]) == (422, 2)
    assert await quantities(client) == {"a": "5"}

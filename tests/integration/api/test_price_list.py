"""`/admin/prices`: base prices by store and day are imported, listed and deleted."""

from datetime import UTC, datetime, timedelta

from tests.support.catalogue import (
    ADMIN,
    activate_policy,
    create_batch,
    create_product,
    day,
    pages,
    recompute,
)

CSV = {"Content-Type": "text/csv"}
HEADER = "sku,base_price,store,valid_from,valid_until\n"


async def put(client, *rows: str, status: int = 200, **options) -> dict:
    content = HEADER + "".join(f"{row}\n" for row in rows)
    response = await client.put(f"{ADMIN}/prices", content=content, headers=CSV, params=options)
    assert response.status_code == status, response.text
    return response.json()


async def listed(client, **query) -> list[dict]:
    return (await client.get(f"{ADMIN}/prices", params=query)).json()["items"]


async def base_price(client, store: str) -> str:
    response = await client.get("/api/v1/products/BREAD/price", params={"store": store})
    assert response.status_code == 200, response.text
    return response.json()["base_price"]


async def shop(client) -> None:
    await create_product(client, "BREAD", base_price="4.00")
    assert (await client.post(f"{ADMIN}/stores", json={"code": "station"})).status_code == 201


async def test_a_store_gets_a_price_of_its_own_and_the_product_keeps_its(client):
    await shop(client)
    answer = await put(client, "BREAD,5.00,station,,")
    assert answer["report"]["prices_new"] == 1
    assert answer["repricing"]["status"] == "queued"
    assert (await base_price(client, "station"), await base_price(client, "main")) == ("5.00", "4.00")
    assert (await client.get(f"{ADMIN}/products/BREAD")).json()["base_price"] == "4.00"
    assert (await put(client, "BREAD,5.00,station,,"))["repricing"]["status"] == "not_needed"


async def test_discounts_follow_the_price_of_their_store(client):
    await shop(client)
    for store in ("main", "station"):
        await create_batch(client, store=store)
    await activate_policy(client)
    await put(client, "BREAD,5.00,station,,")
    await recompute(client)
    found = (await client.get(f"{ADMIN}/discounts")).json()["items"]
    assert {item["store"]: (item["base_price"], item["price"]) for item in found} == {
        "main": ("4.00", "2.00"),
        "station": ("5.00", "2.50"),
    }


async def test_the_list_has_past_and_planned_prices_by_product_and_store(client):
    await shop(client)
    await create_product(client, "MILK")
    await put(
        client,
        f"BREAD,5.00,station,{day(-9)},{day(-3)}",
        f"BREAD,3.00,,{day(7)},",
        f"BREAD,6.00,main,{day(1)},",
        "MILK,1.00,station,,",
    )
    (first,) = [item for item in await listed(client, sku="BREAD") if item["store"] == "station"]
    assert (first["price"], first["valid_from"], first["valid_until"]) == ("5.00", day(-9), day(-3))
    of_station = await listed(client, sku="BREAD", store="station")
    assert {item["store"] for item in of_station} == {"station", None}
    assert [len(page) for page in await pages(client, f"{ADMIN}/prices", limit=3)] == [3, 1]
    assert (await client.get(f"{ADMIN}/prices", params={"store": "nowhere"})).status_code == 404


async def test_a_deleted_price_leaves_the_one_before(client):
    await shop(client)
    await create_batch(client, store="station")
    await put(client, "BREAD,5.00,station,,")
    (entry,) = await listed(client)
    deleted = await client.delete(f"{ADMIN}/prices/{entry['price_id']}")
    assert deleted.status_code == 200
    assert deleted.json()["repricing"]["status"] == "queued"
    assert await base_price(client, "station") == "4.00"
    assert await listed(client) == []
    assert (await client.delete(f"{ADMIN}/prices/{entry['price_id']}")).status_code == 404
    audit = (await client.get(f"{ADMIN}/audit", params={"action": "delete_price"})).json()["items"]
    assert [one["target"] for one in audit if one["outcome"] == "done"] == ["BREAD in station"]


async def test_an_atomic_file_with_a_bad_row_and_a_rehearsal_write_nothing(client):
    await shop(client)
    rows = ("BREAD,5.00,station,,", "CAKE,5.00,,,")
    refused = await put(client, *rows, status=422, atomic="true")
    assert [(error["line"], error["field"]) for error in refused["errors"]] == [(3, "sku")]
    rehearsed = await put(client, *rows, dry_run="true")
    assert (rehearsed["report"]["prices_new"], rehearsed["repricing"]["status"]) == (1, "not_needed")
    assert await listed(client) == []


async def test_stock_has_an_instant_and_prices_have_days(client):
    await shop(client)
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    refused = await put(client, "BREAD,5.00,station,,", status=422, as_of=at)
    assert refused["errors"][0]["field"] == "as_of"

"""Products have GTINs: checked, of 14 digits, and never those of another product."""

import asyncio

import pytest

from tests.support.catalogue import ADMIN, create_batch, create_product

BREAD = "4006381333931"
CASE = "14006381333938"
UPC = "012345678905"


async def gtins_of(client, sku: str) -> list[str]:
    return (await client.get(f"{ADMIN}/products/{sku}")).json()["gtins"]


async def test_a_product_has_gtins_of_every_length_once_each_with_14_digits_in_order(client):
    created = await create_product(client, gtins=[CASE, BREAD, f"0{BREAD}", UPC, "96385074"])
    assert created["gtins"] == ["00000096385074", "00012345678905", "04006381333931", "14006381333938"]
    assert await gtins_of(client, "BREAD") == created["gtins"]
    [listed] = (await client.get(f"{ADMIN}/products")).json()["items"]
    assert listed["gtins"] == created["gtins"]
    assert (await create_product(client, "MILK"))["gtins"] == []


async def test_a_change_gives_a_product_exactly_the_gtins_named_and_reprices_nothing(client):
    await create_product(client, gtins=[BREAD, UPC])
    await create_batch(client)
    before = (await client.get(f"{ADMIN}/products/BREAD")).json()
    for gtins, kept in (([CASE, UPC], [f"00{UPC}", CASE]), ([], []), ([BREAD], [f"0{BREAD}"])):
        changed = await client.patch(f"{ADMIN}/products/BREAD", json={"gtins": gtins})
        assert changed.status_code == 200, changed.text
        assert (changed.json()["gtins"], changed.json()["repricing"]["status"]) == (kept, "not_needed")
        assert changed.json()["updated_at"] > before["updated_at"]
    renamed = await client.patch(f"{ADMIN}/products/BREAD", json={"sku": "RYE", "name": "Rye"})
    assert renamed.json()["gtins"] == [f"0{BREAD}"]


@pytest.mark.parametrize(
    ("gtins", "field", "reason"),
    [
        (["4006381333932"], "gtins.0", "must end in its check digit 1, not in 2"),
        ([BREAD, "123"], "gtins.1", "must have 8, 12, 13 or 14 digits"),
        (["0000000000000"], "gtins.0", "must not be all zeros"),
        ([4006381333931], "gtins.0", "must be text"),
        (BREAD, "gtins", "list"),
        (None, "gtins", "list"),
        ([BREAD] * 101, "gtins", "at most 100"),
    ],
)
async def test_gtins_that_cannot_be_are_refused_by_name_and_place(reader, gtins, field, reason):
    product = {"sku": "A", "name": "A", "category": "A", "base_price": "1.00", "gtins": gtins}
    refused = await reader.post(f"{ADMIN}/products", json=product)
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["field"] == field
    assert reason in error["reason"]


async def test_a_gtin_of_another_product_is_refused_with_that_products_name(client):
    await create_product(client, gtins=[BREAD])
    await create_product(client, "MILK", gtins=[UPC])
    product = {"sku": "ROLL", "name": "Roll", "category": "Bakery", "base_price": "1.00", "gtins": [BREAD]}
    for refused in (
        await client.post(f"{ADMIN}/products", json=product),
        await client.patch(f"{ADMIN}/products/MILK", json={"gtins": [BREAD], "name": "Bread"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        [error] = refused.json()["errors"]
        assert error == {"field": "gtins", "reason": f"the product 'BREAD' has the GTIN 0{BREAD} already"}
    assert (await client.get(f"{ADMIN}/products/ROLL")).status_code == 404
    milk = (await client.get(f"{ADMIN}/products/MILK")).json()
    assert (milk["gtins"], milk["name"]) == ([f"00{UPC}"], "Rye bread")


async def test_of_two_products_that_ask_for_a_gtin_at_once_one_gets_it(client):
    await create_product(client)
    await create_product(client, "MILK")
    answers = await asyncio.gather(
        *(client.patch(f"{ADMIN}/products/{sku}", json={"gtins": [BREAD]}) for sku in ("BREAD", "MILK"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert sorted([*await gtins_of(client, "BREAD"), *await gtins_of(client, "MILK")]) == [f"0{BREAD}"]


async def test_the_gtins_of_a_deleted_product_are_free_again(client):
    await create_product(client, gtins=[BREAD])
    assert (await client.delete(f"{ADMIN}/products/BREAD")).status_code == 204
    assert (await create_product(client, "MILK", gtins=[BREAD]))["gtins"] == [f"0{BREAD}"]


async def test_a_search_for_a_gtin_of_any_length_finds_its_product(client):
    await create_product(client, gtins=[BREAD, UPC])
    await create_product(client, "MILK", gtins=[CASE])
    for search, skus in (
        (BREAD, ["BREAD"]),
        (f"00{UPC}", ["BREAD"]),
        (CASE, ["MILK"]),
        ("96385074", []),
        (BREAD[:-1], []),
    ):
        found = (await client.get(f"{ADMIN}/products", params={"search": search})).json()["items"]
        assert [product["sku"] for product in found] == skus


async def test_the_audit_tells_which_gtins_a_product_had_and_has(client):
    await create_product(client, gtins=[BREAD])
    await client.patch(f"{ADMIN}/products/BREAD", json={"gtins": [CASE, BREAD]})
    await client.delete(f"{ADMIN}/products/BREAD")
    deleted, changed, created = (await client.get(f"{ADMIN}/audit")).json()["items"]
    one, both = f"0{BREAD}", f"0{BREAD}, {CASE}"
    assert created["changes"]["gtins"] == {"old": None, "new": one}
    assert changed["changes"] == {"gtins": {"old": one, "new": both}}
    assert changed["sentence"] == f"gtins of BREAD: {one} → {both}"
    assert deleted["changes"]["gtins"] == {"old": both, "new": None}

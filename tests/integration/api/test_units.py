"""Units of products over HTTP: quantities as strings, fractions, and a unit that does not change."""

from tests.support.catalogue import ADMIN, activate_policy, create_batch, create_product, day, recompute

GTIN = "04006381333931"


async def test_quantities_are_strings_and_input_takes_numbers_too(client):
    await create_product(client, "CHEESE", unit="kg", base_price="18.90")
    batch = await create_batch(client, "CHEESE", quantity="12.350")
    assert (batch["quantity"], batch["unit"]) == ("12.35", "kg")
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    changed = await client.patch(place, json={"quantity": 12.5})
    assert changed.json()["quantity"] == "12.5"
    sold = await client.patch(place, json={"quantity_delta": "-2.375"})
    assert sold.json()["quantity"] == "10.125"


async def test_a_product_without_a_unit_is_counted_in_each(client):
    product = await create_product(client)
    assert product["unit"] == "each"
    batch = await create_batch(client, quantity="24.000")
    assert (batch["quantity"], batch["unit"]) == ("24", "each")


async def test_a_fraction_of_a_piece_is_refused_with_what_to_write(client):
    await create_product(client)
    batch = await create_batch(client)
    place = f"{ADMIN}/batches/{batch['batch_id']}"
    body = {"sku": "BREAD", "expiry_date": day(2), "quantity": 0.5}
    for response in (
        await client.post(f"{ADMIN}/batches", json=body),
        await client.patch(place, json={"quantity": "0.5"}),
        await client.patch(place, json={"quantity_delta": "0.5"}),
    ):
        assert response.status_code == 422, response.text
        assert "0.5 is a fraction, and the product is counted in each: write a whole" in response.text
    assert (await client.get(place)).json()["quantity"] == "10"


async def test_a_fourth_decimal_is_refused_rather_than_rounded(client):
    await create_product(client, "CHEESE", unit="kg")
    body = {"sku": "CHEESE", "expiry_date": day(1), "quantity": "1.0005"}
    response = await client.post(f"{ADMIN}/batches", json=body)
    assert response.status_code == 422
    assert "at most 3 decimals" in response.text


async def test_the_unit_changes_only_while_all_batches_are_at_0(client):
    await create_product(client, "CHEESE")
    batch = await create_batch(client, "CHEESE", quantity=3)
    product = f"{ADMIN}/products/CHEESE"
    refused = await client.patch(product, json={"unit": "kg"})
    assert refused.status_code == 409
    assert "1 batch with stock counted in each: set them to 0" in refused.text
    same = await client.patch(product, json={"unit": "each", "name": "Gouda"})
    assert same.status_code == 200, same.text
    await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json={"quantity": 0})
    changed = await client.patch(product, json={"unit": "kg"})
    assert (changed.status_code, changed.json()["unit"]) == (200, "kg")
    stored = await client.patch(f"{ADMIN}/batches/{batch['batch_id']}", json={"quantity": "3.25"})
    assert stored.json()["quantity"] == "3.25"


async def test_a_rule_with_a_unit_discounts_products_in_that_unit_alone(client):
    await create_product(client, "CHEESE", unit="kg", base_price="20.00")
    await create_product(client, "BREAD", base_price="20.00")
    for sku in ("CHEESE", "BREAD"):
        await create_batch(client, sku, quantity=6)
    rule = {"name": "much", "quantity": {"min": "5.500"}, "unit": "kg", "discount": "0.5"}
    await activate_policy(client, {"rules": [rule]})
    await recompute(client)
    (discount,) = (await client.get(f"{ADMIN}/discounts")).json()["items"]
    assert (discount["sku"], discount["quantity"], discount["unit"]) == ("CHEESE", "6", "kg")


async def test_an_unknown_unit_is_refused_with_those_that_there_are(client):
    body = {"sku": "X", "name": "X", "category": "X", "base_price": 1, "unit": "g"}
    response = await client.post(f"{ADMIN}/products", json=body)
    assert response.status_code == 422
    assert "'each', 'kg', 'lb', 'l' or 'm'" in response.text


async def test_a_scanned_weight_is_the_quantity_of_a_product_in_kg(client):
    await create_product(client, "CHEESE", unit="kg", gtins=[GTIN])
    code = f"01{GTIN}3103001250" + f"17{day(5)[2:].replace('-', '')}"
    for stock in ("1.25", "2.5"):
        recorded = await client.post(f"{ADMIN}/scans", json={"code": code})
        assert recorded.status_code == 200, recorded.text
        assert recorded.json()["batch"]["quantity"] == stock


async def test_a_scan_without_a_weight_of_a_product_in_kg_asks_for_the_quantity(client):
    await create_product(client, "CHEESE", unit="kg", gtins=[GTIN])
    code = f"01{GTIN}17{day(5)[2:].replace('-', '')}"
    refused = await client.post(f"{ADMIN}/scans", json={"code": code})
    assert refused.status_code == 422
    assert "'CHEESE' is counted in kg, and the code has no such quantity: give the quantity" in refused.text
    given = await client.post(f"{ADMIN}/scans", json={"code": code, "quantity": "0.8"})
    assert given.json()["batch"]["quantity"] == "0.8"

"""Stores over HTTP."""

from tests.support.catalogue import (
    ADMIN,
    create_batch,
    create_product,
)


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


async def test_store_or_product_with_dependents_is_not_deleted(client):
    await create_product(client)
    await client.post(f"{ADMIN}/stores", json={"code": "north"})
    await create_batch(client, store="north")
    for path in ("stores/north", "products/BREAD"):
        response = await client.delete(f"{ADMIN}/{path}")
        assert response.status_code == 409
        assert "batches" in response.json()["detail"]

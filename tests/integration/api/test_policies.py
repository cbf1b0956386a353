"""Versions of the pricing policy over HTTP."""

import pytest

from tests.support.catalogue import ADMIN, HALF_OFF_SOON, create_batch, create_product


async def test_a_version_is_created_activated_and_rolled_back(client):
    created = await client.post(f"{ADMIN}/policies", json={"policy": HALF_OFF_SOON, "comment": "try it"})
    assert created.status_code == 201, created.text
    body = created.json()
    assert (body["version"], body["active"], body["comment"], body["warnings"]) == (2, False, "try it", [])
    assert body["policy"]["rules"][0]["name"] == "half off, soon over"
    place = created.headers["location"]
    assert (await client.get(f"{ADMIN}/policies/active")).json()["version"] == 1

    activated = (await client.post(f"{place}/activate")).json()
    assert (activated["version"], activated["active"]) == (2, True)
    task = (await client.get(activated["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_all_discounts"
    assert (await client.get(f"{ADMIN}/policies/active")).json()["version"] == 2
    listed = (await client.get(f"{ADMIN}/policies")).json()["items"]
    assert [(version["version"], version["active"]) for version in listed] == [(2, True), (1, False)]

    back = (await client.post(f"{ADMIN}/policies/roll-back?recompute=false")).json()
    assert (back["version"], back["repricing"]["status"]) == (1, "not_needed")
    assert (await client.get(place)).json()["active"] is False


async def test_policy_is_read_back_as_it_was_stored(client):
    stored = (await client.post(f"{ADMIN}/policies", json={"policy": HALF_OFF_SOON})).json()["policy"]
    again = await client.post(f"{ADMIN}/policies", json={"policy": stored})
    assert again.json()["policy"] == stored


async def test_a_policy_with_errors_is_refused_with_each_of_them(reader):
    bad = {
        "max_discount": 1.5,
        "rules": [{"name": "a", "discount": 0.1, "days": 1}, {"name": "b", "discount": "NaN"}],
    }
    response = await reader.post(f"{ADMIN}/policies", json={"policy": bad})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_policy")
    fields = [error["field"] for error in response.json()["errors"]]
    assert fields == ["max_discount", "rules[0].days", "rules[1].discount"]
    assert len((await reader.get(f"{ADMIN}/policies")).json()["items"]) == 1


async def test_a_rule_that_can_never_decide_is_an_error_and_a_doubtful_one_a_warning(client):
    dead = {"rules": [{"name": "all", "discount": "0.5"}, {"name": "never", "discount": "0.4"}]}
    response = await client.post(f"{ADMIN}/policies", json={"policy": dead})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_policy")
    assert "never" in response.text
    falling = {
        "rules": [
            {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.2"},
            {"name": "before", "days_to_expiry": {"min": 1, "max": 2}, "discount": "0.5"},
        ]
    }
    response = await client.post(f"{ADMIN}/policies", json={"policy": falling})
    assert response.status_code == 201
    [warning, *_] = response.json()["warnings"]
    assert {"last day", "before"} <= set(warning["rules"])
    assert warning["message"]


async def test_rollback_without_an_earlier_active_policy_is_refused(reader):
    response = await reader.post(f"{ADMIN}/policies/roll-back")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("path", ["policies/7", "policies/7/activate"])
async def test_a_version_that_does_not_exist_is_not_found(reader, path):
    method = "POST" if path.endswith("activate") else "GET"
    response = await reader.request(method, f"{ADMIN}/{path}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_the_default_policy_is_active_from_the_start(client):
    await create_product(client, category="Bakery")
    await create_batch(client, days=0)
    preview = (await client.post(f"{ADMIN}/discounts/preview")).json()
    assert preview["summary"]["opened"] == 1

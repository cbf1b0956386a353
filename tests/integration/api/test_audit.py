"""Every change over HTTP leaves an audit entry with actor, target, address and values."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from flexiprice.queue.status import JobStatus
from flexiprice.resources import Resources
from flexiprice.settings import Settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN, HALF_OFF_SOON, create_batch, create_product, day
from tests.support.waiting import until
from tests.support.workers import running

RECOMPUTE = "recompute_all_discounts"
# Asked for like a change, and makes none.
CHANGES_NOTHING = {("post", f"{ADMIN}/discounts/preview")}
METHODS = {"put", "post", "patch", "delete"}


def resources_of(client) -> Resources:
    return client.app.state.resources


def changing_endpoints(client) -> set[tuple[str, str]]:
    """Method and path of all that is documented to change anything."""
    paths = client.app.openapi()["paths"]
    return {(method, path) for path, item in paths.items() for method in METHODS & item.keys()}


async def entries(client) -> list[dict]:
    """The audit, the first entry first."""
    return (await client.get(f"{ADMIN}/audit?limit=500")).json()["items"][::-1]


@asynccontextmanager
async def two_workers(client, settings: Settings) -> AsyncIterator[list[str]]:
    async with running(settings), running(settings):
        tasks = resources_of(client).tasks
        yield [worker.worker_id for worker in await tasks.live_workers()]


def tells_values(method: str, path: str) -> bool:
    """Whether it changes values; tasks, workers and bulk uploads tell outcomes and counts instead."""
    kinds = ("/stores", "/products", "/prices", "/batches", "/scans", "/policies/", "/queues", "/schedules")
    is_bulk = method == "put"
    return path.startswith(kinds) and not is_bulk and not path.endswith(("/purge", "/run"))


def require_facts(entry: dict, method: str, path: str) -> None:
    """Fails where an entry of an endpoint does not say who, what, from which value to which, and whence."""
    assert (entry["source"], entry["actor"], entry["outcome"]) == ("api", "bootstrap", "done")
    assert entry["target"], f"{method} {path} names no target"
    assert entry["target"] in entry["sentence"]
    assert entry["address"] == "127.0.0.1"
    if tells_values(method, path):
        assert entry["changes"], f"{method} {path} tells no old and new value"
        assert all(one["old"] != one["new"] for one in entry["changes"].values())


SOLD = {"kind": "sale", "source": "till-1", "line_id": "1", "sku": "BREAD", "quantity": "1"}


async def upload_stock_and_prices(client, made: Callable[..., Awaitable[dict]]) -> None:
    """Puts a batch and a price of BREAD, and deletes the price."""
    csv = {"Content-Type": "text/csv"}
    await made("put", "/batches", content=f"sku,expiry_date,quantity\nBREAD,{day(2)},5\n", headers=csv)
    await made("put", "/prices", content="sku,base_price,store\nBREAD,3.00,main\n", headers=csv)
    (price,) = (await client.get(f"{ADMIN}/prices")).json()["items"]
    await made("delete", "/prices/{price_id}", names=price)


async def test_every_endpoint_that_changes_anything_leaves_one_entry_of_its_name(client, settings: Settings):
    walked: set[tuple[str, str]] = set()

    async def made(method: str, path: str, *, names: dict[str, object] | None = None, **request) -> dict:
        before = len(await entries(client))
        values = {name: str(value) for name, value in (names or {}).items()}
        response = await client.request(method, f"{ADMIN}{path.format(**values)}", **request)
        assert response.is_success, f"{method} {path}: {response.text}"

        async def written() -> bool:
            return len(await entries(client)) > before

        await until(written)
        (entry,) = (await entries(client))[before:]
        operation = client.app.openapi()["paths"][f"{ADMIN}{path}"][method]
        assert operation["operationId"].startswith(entry["action"])
        require_facts(entry, method, path)
        walked.add((method, f"{ADMIN}{path}"))
        return response.json() if response.content else {}

    store = {"code": "west", "time_zone": "Europe/Berlin"}
    await made("post", "/stores", json=store)
    await made("patch", "/stores/{store}", names={"store": "west"}, json={"time_zone": "Europe/Madrid"})
    await made("delete", "/stores/{store}", names={"store": "west"})
    bread = {"sku": "BREAD", "name": "Rye bread", "category": "Bakery", "base_price": "4.00"}
    await made("post", "/products", json=bread)
    await made("patch", "/products/{sku}", names={"sku": "BREAD"}, json={"name": "Bread"})
    batch = await made("post", "/batches", json={"sku": "BREAD", "expiry_date": day(1), "quantity": 10})
    names = {"batch_id": batch["batch_id"]}
    await made("patch", "/batches/{batch_id}", names=names, json={"quantity": 9})
    await made("patch", "/products/{sku}", names={"sku": "BREAD"}, json={"gtins": ["4006381333931"]})
    await made("post", "/scans", json={"code": "4006381333931"})
    await made("post", "/events", json=SOLD | {"occurred_at": datetime.now(UTC).isoformat()})
    await upload_stock_and_prices(client, made)
    await made("delete", "/batches/{batch_id}", names=names)
    await create_product(client, "MILK")
    await made("delete", "/products/{sku}", names={"sku": "MILK"})

    policy = await made("post", "/policies", json={"policy": HALF_OFF_SOON})
    await made("post", "/policies/{version}/activate", names={"version": policy["version"]})
    await made("post", "/policies/roll-back")

    await made("post", "/discounts/trigger-recompute", params={"async_task": "false"})
    await made("post", "/discounts/trigger-recompute", headers={"Idempotency-Key": "tonight"})
    ran = await made("post", "/tasks", json={"task": RECOMPUTE})
    await made("post", "/tasks/{task_id}/revoke", names=ran)
    retried = await made("post", "/tasks/{task_id}/retry", names=ran)
    await made("post", "/tasks/revoke", json={"task_ids": [retried["new_task_id"]]})
    await made("post", "/tasks/retry", json={"task_ids": [retried["new_task_id"]]})
    await made("post", "/tasks/purge")
    for what in ("retry", "dismiss"):
        await made("post", f"/tasks/dead-letters/{what}", json={"all": True})
    for what in ("pause", "resume"):
        await made("post", f"/queues/{{queue}}/{what}", names={"queue": "analytics"})
        await made("post", f"/schedules/{{name}}/{what}", names={"name": RECOMPUTE})
    await made("post", "/queues/{queue}/purge", names={"queue": "analytics"})
    await made("post", "/schedules/{name}/run", names={"name": RECOMPUTE})
    async with two_workers(client, settings) as worker_ids:
        for what, worker_id in zip(("drain", "stop"), worker_ids, strict=True):
            await made("post", f"/workers/{{worker_id}}/{what}", names={"worker_id": worker_id})

    assert walked == changing_endpoints(client) - CHANGES_NOTHING


async def test_a_repeat_of_a_trigger_changes_nothing_and_leaves_no_entry(client):
    trigger, key = f"{ADMIN}/discounts/trigger-recompute", {"Idempotency-Key": "once"}
    first = (await client.post(trigger, headers=key)).json()

    async def written() -> bool:
        return bool(await entries(client))

    await until(written)
    again = (await client.post(trigger, headers=key)).json()
    await create_product(client)
    await create_batch(client)

    assert again["task_id"] == first["task_id"]
    actions = [entry["action"] for entry in await entries(client)]
    assert actions == ["trigger_recompute", "create_product", "create_batch"]
    assert (await entries(client))[0]["details"]["task_id"] == first["task_id"]


async def test_recompute_is_triggered_while_the_audit_cannot_be_written(client_without_database):
    response = await client_without_database.post(f"{ADMIN}/discounts/trigger-recompute")

    assert (response.status_code, response.json()["status"]) == (202, JobStatus.QUEUED)


async def test_trigger_just_before_shutdown_is_audited(settings: Settings):
    async with serve(settings) as client:
        await client.post(f"{ADMIN}/discounts/trigger-recompute")
    async with serve(settings) as client:
        assert [entry["action"] for entry in await entries(client)] == ["trigger_recompute"]


async def test_an_entry_names_what_was_changed_from_which_value_to_which(client):
    await create_product(client, "OMN-1", base_price="5.00")
    await client.patch(f"{ADMIN}/products/OMN-1", json={"base_price": "4.00"})
    batch = await create_batch(client, "OMN-1", days=3, lot="L-7", quantity=10)
    path = f"{ADMIN}/batches/{batch['batch_id']}"
    await client.patch(path, json={"quantity_delta": -3, "expiry_date": day(4)})
    assert (await client.delete(path)).status_code == 204

    _, price, _, stock, deleted = await entries(client)
    assert price["changes"] == {"base_price": {"old": "5.00", "new": "4.00"}}
    assert price["sentence"] == "price of OMN-1: 5.00 → 4.00"
    assert stock["changes"] == {
        "expiry_date": {"old": day(3), "new": day(4)},
        "quantity": {"old": "10", "new": "7"},
    }
    assert deleted["target"] == f"OMN-1 in main, expires {day(4)}, lot L-7"
    assert deleted["details"]["batch_id"] == batch["batch_id"]
    assert deleted["changes"]["quantity"] == {"old": "7", "new": None}


async def test_simultaneous_price_changes_form_one_unbroken_audit_chain(client):
    await create_product(client, "OMN-1", base_price="5.00")
    prices = [f"{number}.00" for number in range(6, 10)]
    answers = await asyncio.gather(
        *(client.patch(f"{ADMIN}/products/OMN-1", json={"base_price": price}) for price in prices)
    )
    assert all(answer.is_success for answer in answers)

    found = (await client.get(f"{ADMIN}/audit", params={"action": "change_product"})).json()["items"]
    steps = {entry["changes"]["base_price"]["old"]: entry["changes"]["base_price"]["new"] for entry in found}
    value, walked = "5.00", list[str]()
    while value in steps:
        value = steps[value]
        walked.append(value)
    assert sorted(walked) == sorted(prices)


async def test_a_rollback_tells_from_which_version_to_which(client):
    policy = (await client.post(f"{ADMIN}/policies", json={"policy": HALF_OFF_SOON})).json()
    await client.post(f"{ADMIN}/policies/{policy['version']}/activate")
    await client.post(f"{ADMIN}/policies/roll-back")
    found = {entry["action"]: entry for entry in await entries(client)}
    assert found["activate_policy"]["changes"] == {"active_version": {"old": 1, "new": 2}}
    assert found["roll_back_policy"]["target"] == "1"
    assert found["roll_back_policy"]["changes"] == {"active_version": {"old": 2, "new": 1}}


async def test_a_bulk_upload_leaves_one_entry_with_totals(client):
    await create_product(client, "OMN-1")
    good = "".join(f"OMN-1,{day(n)},5\n" for n in range(1, 41))
    lines = f"sku,expiry_date,quantity\n{good}NO,x,1\n"
    await client.put(f"{ADMIN}/batches", content=lines, headers={"Content-Type": "text/csv"})
    [entry] = (await client.get(f"{ADMIN}/audit", params={"action": "put_batches"})).json()["items"]
    assert entry["target"] == "40 batches"
    counts = {name: entry["details"][name] for name in ("read", "batches_new", "batches_updated", "bad")}
    assert counts == {"read": 41, "batches_new": 40, "batches_updated": 0, "bad": 1}


async def test_entries_are_found_by_part_of_a_target_by_outcome_and_by_address(client):
    await create_product(client, "OMN-1")
    await create_product(client, "BREAD")
    await create_batch(client, "OMN-1")

    async def found(**wanted) -> list[str]:
        items = (await client.get(f"{ADMIN}/audit", params=wanted)).json()["items"]
        return [entry["action"] for entry in items]

    assert await found(target="omn-1") == ["create_batch", "create_product"]
    assert await found(outcome="failed") == []
    assert len(await found(outcome="done", address="127.0.0.1")) == 3
    assert await found(address="10.0.0.1") == []

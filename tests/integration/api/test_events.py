"""`POST /admin/events`: sales, waste, counts and deliveries over HTTP."""

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.settings import load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN, create_batch, create_product, day

EVENTS = f"{ADMIN}/events"
NDJSON = {"Content-Type": "application/x-ndjson"}


def an_event(line_id: str = "1", *, minutes: float = 0, **fields) -> dict:
    """A sale of one loaf, so many minutes from now."""
    at = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    event = {"kind": "sale", "source": "till-1", "line_id": line_id, "occurred_at": at, "sku": "BREAD"}
    return event | {"quantity": 1} | fields


def ndjson(*events: dict | str) -> str:
    return "".join(f"{event if isinstance(event, str) else json.dumps(event)}\n" for event in events)


async def send(client, *events: dict | str) -> dict:
    response = await client.post(EVENTS, content=ndjson(*events), headers=NDJSON)
    assert response.status_code == 200, response.text
    return response.json()


async def quantity(client, batch: dict) -> int:
    return int((await client.get(f"{ADMIN}/batches/{batch['batch_id']}")).json()["quantity"])


def reasons(rows: list[dict]) -> dict[int, list[tuple[str | None, str]]]:
    return {row["line"]: [(p["column"], p["reason"]) for p in row["problems"]] for row in rows}


async def test_one_event_lowers_its_batch_and_has_it_repriced(client):
    await create_product(client)
    batch = await create_batch(client)
    response = await client.post(EVENTS, json=an_event(quantity=3))
    assert response.status_code == 200, response.text
    assert response.json()["report"]["recorded"] == 1
    assert response.json()["repricing"]["status"] == "queued"
    assert await quantity(client, batch) == 7


async def test_a_repeated_request_is_ignored_and_reprices_nothing(client):
    await create_product(client)
    batch = await create_batch(client)
    sale = an_event()
    await send(client, sale)
    again = await send(client, sale, sale | {"quantity": 2})
    report = again["report"]
    assert (report["recorded"], report["ignored"], report["set_aside"]) == (0, 1, 1)
    assert again["repricing"]["status"] == "not_needed"
    [(line, [(_, reason)])] = reasons(report["set_aside_rows"]).items()
    assert line == 2
    assert reason.startswith("line '1' of source 'till-1' is recorded with other content, as event ")
    assert await quantity(client, batch) == 9


async def test_bad_lines_are_named_and_the_others_are_recorded(client):
    await create_product(client)
    await create_batch(client)
    answer = await send(
        client,
        an_event("1"),
        "no JSON",
        an_event("3", quantity="0"),
        an_event("4", kind="gift"),
        an_event("5", occurred_at="2026-03-31T18:05:00"),
        an_event("6", minutes=60),
        an_event("7", sku=None),
        an_event("8", kind="waste", unit_price="1.00"),
        an_event("9", kind="delivery"),
        an_event("10", quantity=True),
        an_event("11", store="nowhere"),
    )
    report = answer["report"]
    assert (report["read"], report["recorded"], report["bad"]) == (11, 1, 10)
    told = reasons(report["bad_rows"])
    assert told[2][0][1].startswith("not JSON")
    assert told[3] == [("quantity", "is 0: a sale has units, and a return is negative")]
    assert told[4] == [("kind", "'gift' is none of sale, waste, count, delivery")]
    assert told[5] == [
        (
            "occurred_at",
            "'2026-03-31T18:05:00' has no offset from UTC: write it as 2026-03-31T18:05:00+02:00",
        )
    ]
    assert told[6][0][1].endswith("is in the future: correct the clock or the offset from UTC")
    assert told[7] == [("sku or gtin", "is empty, and it is required")]
    assert told[8] == [("unit_price", "is given, but only a sale has a price, not a waste")]
    assert told[9][0][1].startswith("is empty: a delivery names its batch by expiry_date")
    assert told[10] == [("quantity", "is true where a text or a number is needed")]
    ways = "`flexiprice stores create nowhere`, `POST /admin/stores` or the monitor"
    assert told[11] == [("store", f"there is no store 'nowhere'; add it by {ways}")]


async def test_a_single_bad_event_is_a_problem_that_names_its_field(client):
    await create_product(client)
    response = await client.post(EVENTS, json=an_event(quantity="many"))
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"field": "quantity", "reason": "'many' is not a number such as 3 or 0.250"}
    ]


async def test_events_older_than_their_retention_are_refused(settings):
    kept = load_settings(
        env_files=(),
        database_url=settings.require_database_url(),
        redis_url=settings.require_redis_url(),
        event_retention_days=31,
    )
    async with serve(kept) as client:
        await create_product(client)
        await create_batch(client)
        answer = await send(
            client, an_event("1", minutes=-30 * 24 * 60), an_event("2", minutes=-32 * 24 * 60)
        )
    assert answer["report"]["recorded"] == 1
    [(line, [(_, reason)])] = reasons(answer["report"]["bad_rows"]).items()
    assert line == 2
    assert "FLEXIPRICE_EVENT_RETENTION_DAYS" in reason


async def test_a_delivery_makes_its_batch_and_a_count_states_it(client):
    await create_product(client, gtins=["4006381333931"])
    await send(
        client,
        an_event("d", minutes=-9, kind="delivery", expiry_date=day(3), lot="L-1", quantity=20),
        an_event("c", minutes=-6, kind="count", sku=None, gtin="4006381333931", lot="L-1", quantity=18),
        an_event("w", minutes=-3, kind="waste", lot="L-1", quantity=2),
        an_event("s", lot="L-1", quantity=1),
    )
    [batch] = (await client.get(f"{ADMIN}/batches")).json()["items"]
    assert (batch["lot"], batch["quantity"]) == ("L-1", "15")


async def test_a_stock_that_was_changed_by_hand_is_moved_by_later_events_only(client):
    await create_product(client)
    batch = await create_batch(client)
    path = f"{ADMIN}/batches/{batch['batch_id']}"
    assert (await client.patch(path, json={"quantity": 6})).status_code == 200
    answer = await send(client, an_event("1", minutes=-1), an_event("2", minutes=1, quantity=2))
    assert answer["report"]["already_counted"] == 1
    assert await quantity(client, batch) == 4


async def test_units_added_by_hand_are_kept_beside_an_earlier_count(client):
    await create_product(client)
    await send(client, an_event("d", minutes=-9, kind="delivery", expiry_date=day(3), quantity=10))
    [batch] = (await client.get(f"{ADMIN}/batches")).json()["items"]
    path = f"{ADMIN}/batches/{batch['batch_id']}"
    assert (await client.patch(path, json={"quantity_delta": 5})).status_code == 200
    await send(client, an_event("c", kind="count", minutes=-1, quantity=8))
    assert await quantity(client, batch) == 13


async def test_a_request_that_records_events_leaves_one_audit_entry(client):
    await create_product(client)
    await create_batch(client)
    sale = an_event()
    await send(client, sale, an_event("2", sku="NONE"))
    await send(client, sale)
    entries = (await client.get(f"{ADMIN}/audit")).json()["items"]
    recorded = [entry for entry in entries if entry["action"] == "receive_events"]
    assert [entry["target"] for entry in recorded] == ["1 event"]
    assert recorded[0]["details"]["recorded"] == 1


async def test_many_events_are_recorded_in_chunks(client, engine: AsyncEngine):
    await create_product(client)
    batch = await create_batch(client, quantity=5000)
    answer = await send(client, *(an_event(str(number)) for number in range(4100)))
    assert answer["report"]["recorded"] == 4100
    assert await quantity(client, batch) == 900
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM stock_events")) == 4100


async def test_other_media_types_are_refused(client):
    response = await client.post(EVENTS, content="kind\nsale\n", headers={"Content-Type": "text/csv"})
    assert response.status_code == 415
    assert "application/x-ndjson" in response.json()["detail"]

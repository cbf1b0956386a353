"""`PUT /admin/batches`: the stock of many batches at once."""

import asyncio
import json
from datetime import timedelta

import pytest

from tests.api.catalogue import ADMIN, create_batch, create_product, day
from tests.api.conftest import BOOTSTRAP_KEY, serve

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def ndjson(*lines: dict | str) -> str:
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)


def line(sku: str = "BREAD", *, days: int = 1, quantity: int = 5, **more) -> dict:
    return {"sku": sku, "expiry_date": day(days), "quantity": quantity} | more


async def stock(client) -> dict[tuple[str, str, str], int]:
    items = (await client.get(f"{ADMIN}/batches?limit=500")).json()["items"]
    return {(item["store"], item["sku"], item["lot"]): item["quantity"] for item in items}


async def test_lines_create_update_and_leave_alone(client):
    await create_product(client)
    await create_batch(client, lot="same", quantity=5)
    await create_batch(client, lot="other", quantity=4)
    await create_batch(client, lot="unmentioned", quantity=3)
    body = ndjson(line(lot="same"), line(lot="other"), line(lot="new"), line())
    report = (await client.put(f"{ADMIN}/batches", content=body, headers=NDJSON)).json()
    assert report | {"repricing": None} == {
        "read": 4,
        "created": 2,
        "updated": 1,
        "unchanged": 1,
        "rejected": 0,
        "errors": [],
        "errors_truncated": False,
        "repricing": None,
    }
    assert await stock(client) == {
        ("main", "BREAD", "same"): 5,
        ("main", "BREAD", "other"): 5,
        ("main", "BREAD", "unmentioned"): 3,
        ("main", "BREAD", "new"): 5,
        ("main", "BREAD", ""): 5,
    }
    assert report["repricing"]["status"] == "queued"
    again = (await client.put(f"{ADMIN}/batches", content=body, headers=NDJSON)).json()
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 4)
    assert again["repricing"]["status"] == "not_needed"


async def test_csv_means_the_same_in_any_column_order_with_a_byte_order_mark_and_windows_line_ends(client):
    await create_product(client)
    await create_product(client, 'QUO"TE, 1')
    rows = (
        "\ufeffquantity,expiry_date,sku,lot",
        f"3,{day(1)},BREAD,L1",
        "",
        f' 4 ,{day(2)},"QUO""TE, 1",',
        f"5,{day(3)},BREAD,L3",
    )
    body = "\r\n".join(rows)
    report = (await client.put(f"{ADMIN}/batches", content=body, headers=CSV)).json()
    assert (report["read"], report["created"], report["errors"]) == (3, 3, [])
    assert await stock(client) == {
        ("main", "BREAD", "L1"): 3,
        ("main", 'QUO"TE, 1', ""): 4,
        ("main", "BREAD", "L3"): 5,
    }


async def test_each_bad_line_is_reported_with_its_number_field_and_reason_and_the_good_ones_are_kept(client):
    await create_product(client)
    body = ndjson(
        line(lot="good"),
        line("NOTHING"),
        line(store="nowhere"),
        line(quantity=-1),
        "",
        "{not json",
        line(surprise=1),
        line(lot="good", quantity=9),
        line(lot="a\x00b"),
        '{"sku": "BREAD", "expiry_date": "2025-02-30", "quantity": 1}',
        "[1]",
        line(lot="last"),
    )
    response = await client.put(
        f"{ADMIN}/batches", content=body.encode() + b'{"sku": "\xff"}\n', headers=NDJSON
    )
    report = response.json()
    assert response.status_code == 200
    assert (report["read"], report["created"], report["rejected"]) == (12, 2, 10)
    assert [(error["line"], error["field"]) for error in report["errors"]] == [
        (2, "sku"),
        (3, "store"),
        (4, "quantity"),
        (6, None),
        (7, "surprise"),
        (8, None),
        (9, "lot"),
        (10, "expiry_date"),
        (11, None),
        (13, None),
    ]
    reasons = {error["line"]: error["reason"] for error in report["errors"]}
    for number, part in ((2, "'NOTHING'"), (3, "'nowhere'"), (8, "line 1"), (13, "UTF-8")):
        assert part in reasons[number]
    assert await stock(client) == {("main", "BREAD", "good"): 5, ("main", "BREAD", "last"): 5}


async def test_atomic_writes_nothing_where_a_line_is_bad(client):
    await create_product(client)
    await create_batch(client, lot="old", quantity=1)
    body = ndjson(line(lot="old"), line(lot="new"), line("NOTHING"))
    response = await client.put(f"{ADMIN}/batches?atomic=true", content=body, headers=NDJSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"] == [
        {"line": 3, "field": "sku", "reason": "there is no product with SKU 'NOTHING'"}
    ]
    assert await stock(client) == {("main", "BREAD", "old"): 1}
    good = ndjson(line(lot="old"), line(lot="new"))
    response = await client.put(f"{ADMIN}/batches?atomic=true", content=good, headers=NDJSON)
    assert (response.status_code, response.json()["created"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "no header"),
        ("sku,expiry_date\n", "'quantity' is missing"),
        ("sku,expiry_date,quantity,colour\n", "no column 'colour'"),
        ("sku,sku,expiry_date,quantity\n", "twice"),
        ('"sku', "cannot be read"),
    ],
)
async def test_a_csv_header_that_cannot_be_used_is_refused(reader, body, reason):
    response = await reader.put(f"{ADMIN}/batches", content=body, headers=CSV)
    assert response.status_code == 422
    assert reason in response.json()["detail"]


async def test_a_csv_row_of_another_shape_is_a_bad_line(client):
    await create_product(client)
    body = f'sku;expiry_date;quantity;lot\nBREAD;{day(1)}\nBREAD;{day(1)};1;"open\nBREAD;{day(1)};1;x\n'
    report = (await client.put(f"{ADMIN}/batches", content=body, headers=CSV)).json()
    assert [error["line"] for error in report["errors"]] == [2, 3]
    assert report["created"] == 1


async def test_lines_may_arrive_cut_anywhere_and_more_than_one_statement_holds(client):
    await create_product(client)
    body = ndjson(*(line(lot=f"L{number}") for number in range(12_000))).encode()

    async def in_pieces():
        for start in range(0, len(body), 7919):
            yield body[start : start + 7919]

    report = (await client.put(f"{ADMIN}/batches", content=in_pieces(), headers=NDJSON)).json()
    assert (report["read"], report["created"], report["rejected"]) == (12_000, 12_000, 0)
    task = (await client.get(report["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_all_discounts", "too many batches to name them"


async def test_of_many_errors_the_first_are_told_and_all_are_counted(reader):
    body = ndjson(*(["{}"] * 300), "x" * 70_000, *(["{}"] * 300))
    report = (await reader.put(f"{ADMIN}/batches", content=body, headers=NDJSON)).json()
    assert (report["read"], report["rejected"]) == (601, 601)
    assert (len(report["errors"]), report["errors_truncated"]) == (100, True)


async def test_other_content_is_refused_by_its_type(reader):
    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
        NDJSON | {"Content-Encoding": "gzip"},
    ):
        response = await reader.put(f"{ADMIN}/batches", content=b"{}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_an_upload_that_stalls_is_ended_and_leaves_nothing(settings):
    async def stalling():
        yield ndjson(line(lot="a")).encode()
        await asyncio.Event().wait()

    impatient = settings.model_copy(update={"body_timeout": timedelta(milliseconds=100)})
    async with serve(impatient) as client:
        await create_product(client)
        response = await client.put(f"{ADMIN}/batches", content=stalling(), headers=NDJSON)
        assert (response.status_code, response.json()["code"]) == (408, "request_timeout")
        assert await stock(client) == {}


async def test_uploads_of_the_same_batches_at_once_wait_for_each_other(client):
    await create_product(client)
    lots = [f"L{number}" for number in range(300)]
    bodies = [
        ndjson(*(line(lot=lot, quantity=quantity) for lot in (lots if quantity % 2 else reversed(lots))))
        for quantity in range(1, 5)
    ]
    responses = await asyncio.gather(
        *(client.put(f"{ADMIN}/batches", content=body, headers=NDJSON) for body in bodies)
    )
    assert [response.status_code for response in responses] == [200] * 4
    assert sum(response.json()["created"] for response in responses) == 300
    found = await stock(client)
    assert len(found) == 300
    assert len(set(found.values())) == 1, "each upload is one change"


async def test_an_upload_whose_client_goes_away_leaves_nothing(client):
    await create_product(client)
    half = ndjson(line(lot="a"), line(lot="b")).encode()
    messages = [{"type": "http.request", "body": half, "more_body": True}, {"type": "http.disconnect"}]
    answers = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        answers.append(message)

    scope = {
        "type": "http",
        "method": "PUT",
        "path": f"{ADMIN}/batches",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"x-api-key", BOOTSTRAP_KEY.encode()),
            (b"content-type", b"application/x-ndjson"),
        ],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
    }
    await client.app(scope, receive, send)
    assert answers == [], "nobody is there to be answered"
    assert await stock(client) == {}

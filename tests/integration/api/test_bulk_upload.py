"""`PUT /admin/batches`: the stock of many batches at once."""

import asyncio
import gzip
import json
from datetime import date, timedelta

import pytest
from pydantic_core import to_jsonable_python

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.file_options import FileOptions
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.saved_mappings import save_mapping
from flexiprice.cli.json_words import in_api_words
from tests.support.api_server import BOOTSTRAP_KEY, serve
from tests.support.catalogue import ADMIN, create_batch, create_product, day
from tests.support.workbooks import far_apart, xlsx

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}


def ndjson(*lines: dict | str) -> str:
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)


def line(sku: str = "BREAD", *, days: int = 1, quantity: int = 5, **more) -> dict:
    return {"sku": sku, "expiry_date": day(days), "quantity": quantity} | more


async def stock(client) -> dict[tuple[str, str, str], int]:
    items = (await client.get(f"{ADMIN}/batches?limit=500")).json()["items"]
    return {(item["store"], item["sku"], item["lot"]): int(item["quantity"]) for item in items}


async def upload(client, content, headers=NDJSON, **options) -> dict:
    """The response to an accepted file."""
    response = await client.put(f"{ADMIN}/batches", content=content, headers=headers, params=options)
    assert response.status_code == 200, response.text
    return response.json()


def told(answer: dict) -> dict[int, list[tuple[str | None, str]]]:
    """The problems of bad rows by line."""
    return {
        row["line"]: [(problem["column"], problem["reason"]) for problem in row["problems"]]
        for row in answer["report"]["bad_rows"]
    }


async def test_lines_create_update_and_leave_alone(client):
    await create_product(client)
    await create_batch(client, lot="same", quantity=5)
    await create_batch(client, lot="other", quantity=4)
    await create_batch(client, lot="unmentioned", quantity=3)
    body = ndjson(line(lot="same"), line(lot="other"), line(lot="new"), line())
    answer = await upload(client, body)
    report = answer["report"]
    assert (report["read"], report["imported"], report["bad"], report["bad_rows"]) == (4, 4, 0, [])
    assert (report["batches_new"], report["batches_updated"], report["batches_unchanged"]) == (2, 1, 1)
    assert await stock(client) == {
        ("main", "BREAD", "same"): 5,
        ("main", "BREAD", "other"): 5,
        ("main", "BREAD", "unmentioned"): 3,
        ("main", "BREAD", "new"): 5,
        ("main", "BREAD", ""): 5,
    }
    assert answer["repricing"]["status"] == "queued"
    task = (await client.get(answer["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_batches", "few batches are named one by one"
    again = await upload(client, body)
    assert again["report"]["batches_unchanged"] == 4
    assert again["repricing"]["status"] == "not_needed"


QUIRKY = """\
Artikel;Bezeichnung;Category;base price;Stock;MHD;Lot-No.;Regal\r
="0012";Bréton;Bakery;1.234,50 €;1.200;{soon};'0815;A1\r
\r
4006381333931;"Käse, jung";Dairy;3,5;12;{later} 08:00;;A2\r
4,00638E+12;Feta;Dairy;3,50;12;{soon};;A3\r
77;Milk;Dairy;$ 3,50;many;{soon};;A4\r
"""
OPTIONS = {
    "map": ["sku=Artikel", "name=Bezeichnung", "quantity=Stock", "expiry_date=MHD"],
    "date_format": "%d.%m.%Y",
    "decimal_comma": "true",
    "timestamps": "written",
    "encoding": "cp1252",
}


async def test_a_file_as_other_systems_export_it_is_read_as_flexiprice_import_reads_it(client):
    soon, later = (f"{date.fromisoformat(day(days)):%d.%m.%Y}" for days in (3, 9))
    content = QUIRKY.format(soon=soon, later=later).encode("cp1252")
    answer = await upload(client, content, {"Content-Type": "text/csv"}, **OPTIONS)
    report = answer["report"]
    assert (report["read"], report["imported"], report["bad"]) == (4, 2, 2)
    assert (report["products_new"], report["batches_new"]) == (2, 2)
    assert report["columns"] == {
        "sku": "Artikel",
        "name": "Bezeichnung",
        "category": "Category",
        "base_price": "base price",
        "quantity": "Stock",
        "expiry_date": "MHD",
        "lot": "Lot-No.",
    }
    assert report["unused_columns"] == ["Regal"]
    assert await stock(client) == {("main", "0012", "0815"): 1200, ("main", "4006381333931", ""): 12}
    product = (await client.get(f"{ADMIN}/products/0012")).json()
    assert (product["name"], product["base_price"]) == ("Bréton", "1234.50")
    assert [(warning["line"], warning["column"]) for warning in report["warnings"]] == [
        (2, "Artikel"),
        (2, "Lot-No."),
    ]
    assert report["warning_count"] == 2
    problems = told(answer)
    assert [(line, [column for column, _ in found]) for line, found in problems.items()] == [
        (5, ["Artikel"]),
        (6, ["base price", "Stock"]),
    ]
    assert "Excel shortened" in problems[5][0][1]
    assert "this shop's prices are in EUR" in problems[6][0][1]
    again = await upload(client, content, {"Content-Type": "text/csv; charset=cp1252"}, **OPTIONS)
    assert (again["report"]["products_unchanged"], again["report"]["batches_unchanged"]) == (2, 2)
    assert again["repricing"]["status"] == "not_needed"


async def test_the_report_is_the_one_that_flexiprice_import_prints(client):
    body = (
        f"sku,name,category,base_price,quantity,expiry_date\nA,Rye,Bakery,2,1,{day(1)}\nB,x,y,z,1,{day(1)}\n"
    )
    answer = await upload(client, body, CSV, dry_run="true")
    async with client.app.state.resources.sessions() as session:
        printed = (await import_catalogue(session, [body.encode()])).report
        await session.rollback()
    expected = to_jsonable_python(in_api_words(printed))
    assert answer["report"] | {"duration_seconds": 0} == expected | {"duration_seconds": 0}


async def test_the_charset_of_the_type_is_the_encoding_and_a_wrong_one_names_the_parameter(client):
    await create_product(client)
    body = f"sku,quantity,expiry_date,lot\nBREAD,1,{day(1)},Brét\n".encode("cp1252")
    as_csv = {"Content-Type": "text/csv"}
    ((_, reason),) = told(await upload(client, body, as_csv))[2]
    assert "encoding=cp1252 reads it as 'Brét'" in reason
    assert "--" not in reason
    read = await upload(client, body, {"Content-Type": 'text/csv; charset="windows-1252"'})
    assert read["report"]["imported"] == 1
    assert ("main", "BREAD", "Brét") in await stock(client)
    refused = await client.put(f"{ADMIN}/batches?encoding=klingon", content=body, headers=as_csv)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "encoding")
    refused = await client.put(f"{ADMIN}/batches", content="sku".encode("utf-16"), headers=as_csv)
    assert "give encoding=utf-16" in refused.json()["detail"]


async def test_a_rehearsal_reports_all_and_writes_nothing(client):
    body = f"sku,name,category,base_price,quantity,expiry_date\nA,Rye,Bakery,2,1,{day(1)}\n"
    answer = await upload(client, body, CSV, dry_run="true")
    assert (answer["dry_run"], answer["report"]["batches_new"]) == (True, 1)
    assert answer["repricing"]["status"] == "not_needed"
    assert await stock(client) == {}
    changes = (await client.get(f"{ADMIN}/audit")).json()["items"]
    assert changes == []


async def test_a_product_that_changes_has_all_of_its_batches_priced(client):
    await create_product(client)
    await create_batch(client, lot="unmentioned")
    body = f"sku,name,category,base_price,quantity,expiry_date\nBREAD,Rye,Bakery,2,1,{day(1)}\n"
    answer = await upload(client, body, CSV)
    assert answer["report"]["products_updated"] == 1
    task = (await client.get(answer["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_all_discounts"


async def test_csv_means_the_same_in_any_column_order_with_bom_and_windows_line_ends(client):
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
    report = (await upload(client, body, CSV))["report"]
    assert (report["read"], report["batches_new"], report["bad_rows"]) == (3, 3, [])
    assert await stock(client) == {
        ("main", "BREAD", "L1"): 3,
        ("main", 'QUO"TE, 1', ""): 4,
        ("main", "BREAD", "L3"): 5,
    }


async def test_bad_lines_are_reported_with_number_column_and_reason_and_good_ones_kept(client):
    await create_product(client)
    body = ndjson(
        line(lot="good"),
        line("NOTHING"),
        line(store="nowhere"),
        line(quantity="a few"),
        "",
        "{not json",
        line(surprise=1, lot="surprised"),
        line(lot="good", quantity=9),
        line(lot="a\x00b"),
        '{"sku": "BREAD", "expiry_date": "2025-02-30", "quantity": 1}',
        "[1]",
        line(lot="last", quantity=5.0),
        line(quantity=True),
    )
    answer = await upload(client, body.encode() + b'{"sku": "\xff"}\n')
    report = answer["report"]
    assert (report["read"], report["batches_new"], report["bad"]) == (13, 3, 10)
    assert [(number, found[0][0]) for number, found in told(answer).items()] == [
        (2, "sku"),
        (3, "store"),
        (4, "quantity"),
        (6, None),
        (8, None),
        (9, "lot"),
        (10, "expiry_date"),
        (11, None),
        (13, "quantity"),
        (14, "sku"),
    ]
    reasons = {number: found[0][1] for number, found in told(answer).items()}
    for number, part in ((2, "'NOTHING'"), (3, "'nowhere'"), (8, "line 1"), (14, "encoding")):
        assert part in reasons[number]
    assert report["unused_columns"] == ["surprise"]
    assert await stock(client) == {
        ("main", "BREAD", "good"): 5,
        ("main", "BREAD", "surprised"): 5,
        ("main", "BREAD", "last"): 5,
    }


async def test_atomic_writes_nothing_where_a_line_is_bad(client):
    await create_product(client)
    await create_batch(client, lot="old", quantity=1)
    body = ndjson(line(lot="old"), line(lot="new"), line("NOTHING"))
    response = await client.put(f"{ADMIN}/batches?atomic=true", content=body, headers=NDJSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert (error["line"], error["field"]) == (3, "sku")
    assert error["reason"].startswith("there is no product 'NOTHING'")
    assert await stock(client) == {("main", "BREAD", "old"): 1}
    good = ndjson(line(lot="old"), line(lot="new"))
    response = await client.put(f"{ADMIN}/batches?atomic=true", content=good, headers=NDJSON)
    assert (response.status_code, response.json()["report"]["batches_new"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "options", "reason"),
    [
        ("", {}, "the file is empty"),
        ("sku,expiry_date\n", {}, "no column for quantity"),
        ("Product_ID,Qty,expiry_date\n", {}, "Try: map=sku=Product_ID&map=quantity=Qty"),
        ("sku,quantity,expiry_date,price\n", {}, "Try: map=base_price=price"),
        ("sku,sku,expiry_date,quantity\n", {}, "two columns 'sku'"),
        ('"sku', {}, "cannot be read"),
        ("PK\x03\x04", {}, "export the sheet as CSV"),
        ("sku\n", {"map": "ean=x"}, "'ean' is not one of"),
        ("sku\n", {"date_format": "%d/%m"}, "is not a date format"),
        ("sku\n", {"delimiter": '"'}, "the delimiter must be one character"),
        ("sku,quantity,expiry_date\n", {"store": "moon"}, "there is no store 'moon'"),
        ("sku\n", {"timestamps": "guess"}, "timestamps"),
        ("sku\n", {"date-format": "%d/%m/%Y"}, "unknown parameter"),
    ],
)
async def test_unusable_upload_is_refused_as_a_whole_with_what_helps(reader, body, options, reason):
    response = await reader.put(f"{ADMIN}/batches", content=body, headers=CSV, params=options)
    assert response.status_code == 422
    assert reason in response.json()["detail"]


async def test_a_csv_row_of_another_shape_is_a_bad_line(client):
    await create_product(client)
    body = f'sku;expiry_date;quantity;lot\nBREAD;{day(1)}\nBREAD;{day(1)};1;"open\nBREAD;{day(1)};1;x\n'
    answer = await upload(client, body, CSV)
    assert list(told(answer)) == [2, 3]
    assert answer["report"]["batches_new"] == 1


async def test_lines_may_arrive_cut_anywhere_and_more_than_one_statement_holds(client):
    await create_product(client)
    body = ndjson(*(line(lot=f"L{number}") for number in range(12_000))).encode()

    async def in_pieces():
        for start in range(0, len(body), 7919):
            yield body[start : start + 7919]

    answer = await upload(client, in_pieces())
    report = answer["report"]
    assert (report["read"], report["batches_new"], report["bad"]) == (12_000, 12_000, 0)
    task = (await client.get(answer["repricing"]["status_url"])).json()
    assert task["task"] == "recompute_all_discounts", "too many batches to name them"


async def test_first_of_many_bad_rows_are_reported_and_all_are_counted(reader):
    first = json.dumps(line())
    body = ndjson(first, *(["{}"] * 600), "x" * 70_000, *(["{}"] * 600))
    report = (await upload(reader, body, dry_run="true"))["report"]
    assert (report["read"], report["bad"]) == (1202, 1202)
    assert len(report["bad_rows"]) == 1000
    response = await reader.put(f"{ADMIN}/batches?atomic=true", content=body, headers=NDJSON)
    assert (response.status_code, len(response.json()["errors"])) == (422, 100)


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_that_is_too_large_is_refused_and_leaves_nothing(settings, chunked):
    small = settings.model_copy(update={"max_upload_bytes": 4096})
    body = ndjson(*(line(lot=f"L{number}") for number in range(200))).encode()

    async def in_pieces():
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    async with serve(small) as client:
        await create_product(client)
        content = in_pieces() if chunked else body
        response = await client.put(f"{ADMIN}/batches", content=content, headers=NDJSON)
        assert (response.status_code, response.json()["code"]) == (413, "content_too_large")
        assert "4096 bytes" in response.json()["detail"]
        assert await stock(client) == {}


async def test_other_content_is_refused_by_its_type(reader):
    for headers in (
        {"Content-Type": "application/xml"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {},
        NDJSON | {"Content-Encoding": "gzip"},
    ):
        response = await reader.put(f"{ADMIN}/batches", content=b"{}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_a_json_document_and_a_gzip_file_are_read_too_within_their_limits(client, settings):
    await create_product(client)
    document = json.dumps({"count": 2, "batches": [line(lot="a"), line(lot="b")]})
    as_json = {"Content-Type": "application/json"}
    assert (await upload(client, document, as_json))["report"]["batches_new"] == 2
    packed = gzip.compress(ndjson(line(lot="c")).encode())
    for headers in (
        NDJSON,
        {"Content-Type": "application/gzip"},
        {"Content-Type": "application/octet-stream"},
    ):
        assert (await upload(client, packed, headers))["report"]["imported"] == 1
    assert [lot for _, _, lot in await stock(client)] == ["a", "b", "c"]
    refused = await client.put(f"{ADMIN}/batches", content=document[:-9], headers=as_json)
    assert refused.status_code == 422
    assert "not JSON after record 1" in refused.json()["detail"]
    async with serve(settings.model_copy(update={"max_unpacked_bytes": 4096})) as limited:
        bomb = gzip.compress(bytes(1 << 20))
        refused = await limited.put(
            f"{ADMIN}/batches", content=bomb, headers={"Content-Type": "application/gzip"}
        )
    assert refused.status_code == 422
    assert "unpacks to more than 4,096 bytes" in refused.json()["detail"]


XLSX = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


async def test_a_workbook_is_read_by_its_type_or_its_content_within_its_limit(client, settings):
    await create_product(client)
    sheet = [["sku", "lot", "quantity", "expiry_date"], ["BREAD", "L1", 5, date.fromisoformat(day(1))]]
    content = xlsx({"Stock": sheet, "Notes": [["counted by Ann"]]})
    for headers in (XLSX, CSV, {"Content-Type": "application/octet-stream"}):
        report = (await upload(client, content, headers, sheet="Stock"))["report"]
        assert (report["imported"], report["bad"]) == (1, 0)
    assert await stock(client) == {("main", "BREAD", "L1"): 5}
    refusals = {
        "the workbook has several sheets, 'Stock', 'Notes': sheet=Stock reads the first of them": (
            content,
            XLSX,
        ),
        "the file is no workbook": (b"sku,lot\n", XLSX),
    }
    for detail, (body, headers) in refusals.items():
        refused = await client.put(f"{ADMIN}/batches", content=body, headers=headers)
        assert (refused.status_code, refused.json()["detail"]) == (422, detail)
    async with serve(settings.model_copy(update={"workbook_memory_bytes": 256 << 20})) as limited:
        refused = await limited.put(f"{ADMIN}/batches", content=far_apart(), headers=XLSX)
        assert refused.status_code == 422
        assert "needs more than 268,435,456 bytes of memory" in refused.json()["detail"]
        assert (await upload(limited, xlsx({"Stock": sheet}), XLSX))["report"]["imported"] == 1


async def test_the_format_is_a_known_export_or_a_saved_mapping_and_parameters_win(client):
    await create_product(client)
    stock_alone = f"Item,Batch,Balance Qty,Expires On\nBREAD,B1,4,{day(1)}\n"
    assert (await upload(client, stock_alone, CSV, format="erpnext"))["report"]["imported"] == 1
    options = FileOptions(
        columns=parse_column_map(["sku=Code", "quantity=Menge"]), date_formats=("%d.%m.%Y",)
    )
    async with client.app.state.resources.sessions() as session, session.begin():
        await save_mapping(session, "night", options)
    soon = f"{date.fromisoformat(day(2)):%d.%m.%Y}"
    content = f"Code;Menge;Neu;expiry_date;lot\nBREAD;5;7;{soon};x\n"
    assert (await upload(client, content, CSV, format="night"))["report"]["imported"] == 1
    await upload(client, content, CSV, format="night", map="quantity=Neu")
    assert await stock(client) == {("main", "BREAD", "B1"): 4, ("main", "BREAD", "x"): 7}
    refused = await client.put(f"{ADMIN}/batches?format=nigth", content=content, headers=CSV)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "format")
    assert refused.json()["detail"] == "there is no format or saved mapping 'nigth'; did you mean night?"


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
    assert sum(response.json()["report"]["batches_new"] for response in responses) == 300
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


async def test_goods_without_date_and_category_are_kept_by_parameters(client):
    row = {"sku": "SALT", "name": "Salt", "base_price": "0.90", "quantity": 30}
    refused = await upload(client, ndjson({**row, "expiry_date": "9999-12-31", "category": ""}))
    reasons = [problem["reason"] for problem in refused["report"]["bad_rows"][0]["problems"]]
    assert reasons == [
        "is empty, and it is required; default_category=NAME names one for such rows",
        "'9999-12-31' means no date; no_expiry=keep keeps such goods",
    ]
    kept = await upload(client, ndjson(row), default_category="Pantry", no_expiry="keep")
    assert (kept["report"]["imported"], kept["report"]["without_expiry_date"]) == (1, 1)
    [batch] = (await client.get(f"{ADMIN}/batches")).json()["items"]
    assert (batch["category"], batch["expiry_date"], batch["quantity"]) == ("Pantry", None, "30")

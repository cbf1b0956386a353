"""Ambiguous rows and columns of a file are refused with both places, or read with a warning."""

from datetime import date
from decimal import Decimal

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.notation.dates import Timestamps
from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.imports.tally import MAX_WARNINGS_KEPT
from flexiprice.db.tables import Product, Store
from tests.support.import_files import HEADER, load, load_rows, reasons, stock


async def test_contradictory_rows_of_one_product_are_errors_that_name_both_lines(
    session: AsyncSession,
) -> None:
    report = await load_rows(
        session,
        "A,Rice,Pantry,2.00,1.00,5,2030-01-01,L1,",
        "B,Oats,Pantry,3.00,,7,2030-01-01,,",
        "A,Rice,Pantry,2.00,1.00,5,2030-01-02,L2,",
        "A,Rice,pantry,2.50,1.00,5,2030-01-03,L3,",
        "C,Rye,Bakery,1.00,0.50,5,2030-01-01,L1,",
        "C,Rye,Pantry,1.00,,5,2030-01-01,L2,",
    )
    same = "for the same product: a product has one"
    same_store = (
        "for the same product in the same store: it has one base_price there, so neither row is imported"
    )
    assert reasons(report) == [
        (2, f"base_price: is 2.00 here and 2.50 on line 5, {same_store}"),
        (4, f"base_price: is 2.00 here and 2.50 on line 5, {same_store}"),
        (5, f"base_price: is 2.50 here and 2.00 on line 2, {same_store}"),
        (
            6,
            (
                f"unit_cost: is 0.50 here and none on line 7, {same} unit_cost, so neither row is imported; "
                f"category: is Bakery here and Pantry on line 7, {same} category, so neither row is imported"
            ),
        ),
        (
            7,
            (
                f"unit_cost: is none here and 0.50 on line 6, {same} unit_cost, so neither row is imported; "
                f"category: is Pantry here and Bakery on line 6, {same} category, so neither row is imported"
            ),
        ),
    ]
    assert [sku for _, sku, *_ in await stock(session)] == ["B"]
    assert (report.imported, report.bad, report.products_new) == (1, 5, 1)


async def test_a_cost_that_only_some_records_speak_of_is_the_products(session: AsyncSession) -> None:
    line = (
        '{"sku":"A","name":"Rice","category":"Pantry","base_price":2,"quantity":5,'
        '"expiry_date":"2030-01-0%s"%s}\n'
    )
    report = await load(session, line % (1, ',"unit_cost":1.20') + line % (2, ""))
    assert (report.imported, report.bad) == (2, 0)
    assert await session.scalar(select(Product.unit_cost)) == Decimal("1.20")
    report = await load(
        session, line % (1, ',"unit_cost":1.20') + line % (2, ',"unit_cost":1.30') + line % (3, "")
    )
    assert [(row.line, bool(row.problems)) for row in report.bad_rows] == [(1, True), (2, True), (3, True)]


async def test_synonymous_columns_are_read_and_similar_ones_warned_of(
    session: AsyncSession,
) -> None:
    await session.execute(insert(Store).values(code="harbour"))
    header = "sku,name,Category,basePrice,quantity,expiryDate"
    row = "A,Rice,Pantry,2,5,2030-01-01"
    report = await load(session, f"{header},Store code,Lot number,Colour\n{row},harbour,L7,red\n")
    assert await stock(session) == [("harbour", "A", "L7", date(2030, 1, 1), 5)]
    assert (report.columns["store"], report.columns["lot"]) == ("Store code", "Lot number")
    assert (report.unused_columns, report.warnings) == (("Colour",), ())
    report = await load(session, f"{header},Shop,Lot number,Batch number\n{row},harbour,L7,L8\n")
    assert {(warning.line, warning.column): warning.message for warning in report.warnings} == {
        (None, "Shop"): "may hold store, which has no column: --map store=Shop reads it",
        (None, "Lot number"): "may hold lot, which has no column: --map 'lot=Lot number' or "
        "--map 'lot=Batch number' reads it",
    }
    assert report.unused_columns == ("Shop", "Lot number", "Batch number")
    silenced = FileLayout(columns=parse_column_map(["lot=", "store=Shop"]))
    report = await load(session, f"{header},Shop,Lot number\n{row},harbour,L7\n", silenced)
    assert report.warnings == ()


async def test_unknown_ndjson_fields_are_ignored_and_listed(session: AsyncSession) -> None:
    more = ('"tags":["bio"],"organic":true', '"images":[],"Store code":"main"', '"lot":{"code":1}')
    report = await load(
        session,
        "".join(
            f'{{"sku":400638133393{number},"name":"Milk","category":"Dairy","base_price":1.10,"quantity":3.0,'
            f'"expiry_date":"2030-01-01",{said}}}\n'
            for number, said in enumerate(more)
        ),
    )
    assert report.unused_columns == ("tags", "organic", "images")
    assert [sku for _, sku, *_ in await stock(session)] == ["4006381333930", "4006381333931"]
    assert reasons(report) == [(3, "lot: is an object where a text or a number is needed")]


async def test_codes_that_a_spreadsheet_spoiled_are_mended_with_a_warning_or_refused(
    session: AsyncSession,
) -> None:
    cells = ('"=""0011"""', "'0012", "4006381333931.0", "4.00638E+12", "#N/A", "2-Oct", '"=1+1"')
    rows = [f"{sku},Rice,Pantry,2,,5,2030-01-01,," for sku in cells]
    report = await load_rows(session, *rows)
    assert [sku for _, sku, *_ in await stock(session)] == ["0011", "0012", "2-Oct", "4006381333931", "=1+1"]
    assert [(warning.line, warning.column) for warning in report.warnings] == [
        *((2, "sku"), (3, "sku"), (4, "sku"), (7, "sku"))
    ]
    assert [line for line, _ in reasons(report)] == [5, 6]
    assert "Excel shortened" in reasons(report)[0][1]


async def test_warnings_are_counted_and_only_the_first_are_kept(session: AsyncSession) -> None:
    told: list[DataWarning] = []
    rows = [f"'{number},Rice,Pantry,2,,5,2030-01-01,," for number in range(MAX_WARNINGS_KEPT + 200)]
    content = (HEADER + "\n".join(rows)).encode()
    report = (await import_catalogue(session, [content], on_warning=told.append)).report
    assert (report.warning_count, len(report.warnings)) == (MAX_WARNINGS_KEPT + 200, MAX_WARNINGS_KEPT)
    assert [warning.line for warning in told] == list(range(2, len(rows) + 2))


async def test_a_price_in_another_currency_is_never_taken_at_face_value(session: AsyncSession) -> None:
    rows = ("A,Rice,Pantry,2 CHF,,5,2030-01-01,,", "B,Rice,Pantry,€ 2,$1,5,2030-01-01,,")
    report = await load_rows(session, *rows)
    assert [(row.line, row.problems[0].column) for row in report.bad_rows] == [
        (2, "base_price"),
        (3, "unit_cost"),
    ]
    assert await stock(session) == []


async def test_an_instant_is_the_date_in_the_store_of_its_row(session: AsyncSession) -> None:
    await session.execute(insert(Store).values(code="auckland", time_zone="Pacific/Auckland"))
    rows = ("A,Rice,Pantry,2,,5,2030-01-01T18:00:00Z,,", "A,Rice,Pantry,2,,6,2030-01-01T18:00:00Z,,auckland")
    content = HEADER + "\n".join(rows)
    assert (await load(session, content)).bad == 2
    await load(session, content, FileLayout(timestamps=Timestamps.LOCAL))
    assert [(store, day) for store, _, _, day, _ in await stock(session)] == [
        ("auckland", date(2030, 1, 2)),
        ("main", date(2030, 1, 1)),
    ]


async def test_names_and_codes_that_hide_characters_are_refused(session: AsyncSession) -> None:
    report = await load_rows(
        session,
        "A\u202e1,Rice,Pantry,2,,5,2030-01-01,,",
        "B,Ri\u200bce,Pan\ufefftry,2,,5,2030-01-01,L\u00a01,",
        "C,\u0645\u06cc\u200c\u062e\u0648\u0627,Pantry,2,,5,2030-01-01,,",
    )
    assert [(row.line, [problem.column for problem in row.problems]) for row in report.bad_rows] == [
        (2, ["sku"]),
        (3, ["name", "category", "lot"]),
    ]
    assert "U+202E (right-to-left override), at character 2" in reasons(report)[0][1]


async def test_header_in_another_encoding_is_reported_in_readable_letters(
    session: AsyncSession,
) -> None:
    content = (
        b"sku,name,category,base_price,quantity,expiry_date,Gr\xf6\xdfe\nA,Rice,Pantry,2,5,2030-01-01,9\n"
    )
    report = await load(session, content)
    assert report.unused_columns == ("Gr\ufffd\ufffde",)

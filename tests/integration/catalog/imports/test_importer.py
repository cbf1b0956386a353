"""An import stores every good row of a file and names each bad one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.problems import BadRow
from flexiprice.catalog.imports.tally import MAX_BAD_ROWS_KEPT
from flexiprice.db.tables import Batch, Product, Store
from flexiprice.errors import InvalidInput
from tests.support.import_files import HEADER, load, load_rows, reasons, stock

QUIRKY = b"""\xef\xbb\xbfProduct_ID,Product_Name,Catagory,Stock_Quantity,Unit_Price,Expiration_Date,Status\r
29-205-1132,Sushi Rice,Grains & Pulses,22,$4.50 ,9/19/2024,Active\r
40-681-9981,"Coffee, Arabica",Beverages,"1,045",$20.00 ,05-08-2024,Active\r
10-378-9729,Cabbage,,69,$6.55 ,9/21/2024,Discontinued\r
29-205-1132,Sushi rice,Grains & Pulses,15,$4.50 ,10/2/2024,Active\r
71-594-6552,=SUM(A1:A9),Dairy,95,$1.50 ,4/17/2024,Active\r
57-437-1828,Br\xe9ton,Bakery,many,free,31/12/2024,Active\r
36-301-2930,Feta,Dairy,62,$9.00 ,02-05-2024,Active\r
36-301-2930,Feta,Dairy,60,$9.00 ,2/5/2024,Active\r
,,,,,,\r
"""
GROCER = FileLayout(
    columns=parse_column_map(
        [
            "sku=Product_ID",
            "name=Product_Name",
            "category=Catagory",
            "base_price=Unit_Price",
            "quantity=Stock_Quantity",
            "expiry_date=Expiration_Date",
        ]
    ),
    date_formats=("%m/%d/%Y", "%m-%d-%Y"),
    currency="USD",
)


async def test_a_file_full_of_quirks_is_imported_and_its_bad_rows_are_named(session: AsyncSession) -> None:
    report = await load(session, QUIRKY, GROCER)
    assert (report.read, report.imported, report.bad) == (8, 5, 3)
    assert reasons(report) == [
        (4, "Catagory: is empty, and it is required; --default-category NAME names one for such rows"),
        (
            7,
            (
                "Product_Name: 'Br\ufffdton' is not text in the file's encoding; "
                "--encoding cp1252 reads it as 'Bréton'; "
                "Unit_Price: 'free' is not a price; "
                "Stock_Quantity: 'many' is not a quantity; "
                "Expiration_Date: '31/12/2024' is not a date written as %m/%d/%Y or %m-%d-%Y"
            ),
        ),
        (9, "is the same batch as line 8: give each row its own lot, or merge the rows"),
    ]
    assert await stock(session) == [
        ("main", "29-205-1132", "", date(2024, 9, 19), 22),
        ("main", "29-205-1132", "", date(2024, 10, 2), 15),
        ("main", "36-301-2930", "", date(2024, 2, 5), 62),
        ("main", "40-681-9981", "", date(2024, 5, 8), 1045),
        ("main", "71-594-6552", "", date(2024, 4, 17), 95),
    ]
    assert (report.products_new, report.batches_new) == (4, 5)
    assert report.products_contradictory == 1
    assert report.columns["category"] == "Catagory"
    assert report.unused_columns == ("Status",)
    assert [(warning.line, warning.column) for warning in report.warnings] == [(5, "Product_Name")]
    names = {row.sku: row.name for row in await session.execute(select(Product.sku, Product.name))}
    # The last row about a product says what it is called, and a formula is only a name.
    assert names["29-205-1132"] == "Sushi rice"
    assert names["71-594-6552"] == "=SUM(A1:A9)"


async def test_importing_a_file_again_writes_nothing(session: AsyncSession) -> None:
    await load(session, QUIRKY, GROCER)
    written = select(Batch.id, Batch.updated_at, text("batches.xmin")).order_by(Batch.id)
    before = (await session.execute(written)).all()
    report = await load(session, QUIRKY, GROCER)
    assert (report.products_new, report.products_updated, report.products_unchanged) == (0, 0, 4)
    assert (report.batches_new, report.batches_updated, report.batches_unchanged) == (0, 0, 5)
    assert (await session.execute(written)).all() == before


async def test_a_later_file_brings_products_and_quantities_up_to_date(session: AsyncSession) -> None:
    await load_rows(session, "A,Rice,Pantry,2.00,1.00,5,2030-01-01,,", "B,Oats,Pantry,3.00,,7,2030-01-01,,")
    report = await load_rows(
        session, "A,Rice,Pantry,2.10,1.00,4,2030-01-01,,", "C,Rye,Pantry,1.00,,1,2030-01-01,,"
    )
    assert (report.products_new, report.products_updated, report.products_unchanged) == (1, 1, 0)
    assert (report.batches_new, report.batches_updated, report.batches_unchanged) == (1, 1, 0)
    assert [quantity for *_, quantity in await stock(session)] == [4, 7, 1]


async def test_known_costs_stay_where_a_file_does_not_speak_of_them(session: AsyncSession) -> None:
    await load_rows(session, "A,Rice,Pantry,2.00,1.00,5,2030-01-01,,")
    cost = select(Product.unit_cost).where(Product.sku == "A")
    await load(session, "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,2.5,5,2030-01-01\n")
    assert await session.scalar(cost) == Decimal("1.00")
    await load_rows(session, "A,Rice,Pantry,2.50,,5,2030-01-01,,")
    assert await session.scalar(cost) is None


async def test_rows_go_to_the_store_they_name_and_an_unknown_one_is_named(session: AsyncSession) -> None:
    await session.execute(insert(Store).values(code="harbour"))
    report = await load_rows(
        session,
        "A,Rice,Pantry,2.00,,5,2030-01-01,L1,Harbour",
        "A,Rice,Pantry,2.00,,6,2030-01-01,L1,",
        "A,Rice,Pantry,2.00,,7,2030-01-01,L1,harbor",
    )
    assert [(store, quantity) for store, *_, quantity in await stock(session)] == [
        ("harbour", 5),
        ("main", 6),
    ]
    ways = "`flexiprice stores create harbor`, `POST /admin/stores` or the monitor"
    reason = f"there is no store 'harbor'; did you mean harbour? Otherwise add it by {ways}"
    assert reasons(report) == [(4, f"store: {reason}")]


async def test_a_file_without_stores_goes_to_the_one_that_is_given(session: AsyncSession) -> None:
    await session.execute(insert(Store).values(code="harbour"))
    content = "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,2.5,5,2030-01-01\n"
    await load(session, content, FileLayout(default_store="harbour"))
    assert [store for store, *_ in await stock(session)] == ["harbour"]
    with pytest.raises(InvalidInput, match="there is no store 'moon'"):
        await load(session, content, FileLayout(default_store="moon"))


async def test_ndjson_is_imported_like_csv(session: AsyncSession) -> None:
    report = await load(
        session,
        '{"sku":"A","name":"Rice","category":"Pantry","base_price":2.10,"quantity":5,"expiry_date":"2030-01-01"}\n'
        '{"sku":"B","name":"Oats","category":"Pantry","base_price":"3","unit_cost":1.5,"quantity":1,'
        '"expiry_date":"2030-01-02","lot":"L7"}\n'
        '{"sku":"C","base_price":1}\n'
        "nonsense\n",
    )
    assert (report.imported, [row.line for row in report.bad_rows]) == (2, [3, 4])
    assert report.columns["unit_cost"] == "unit_cost"
    assert str(report.bad_rows[0].problems[0]) == "name: is empty, and it is required"
    assert await session.scalar(select(Product.unit_cost).where(Product.sku == "B")) == Decimal("1.50")


async def test_a_semicolon_file_with_decimal_commas_is_imported_where_that_is_said(
    session: AsyncSession,
) -> None:
    content = "sku;name;category;base_price;quantity;expiry_date\nA;Reis;Vorrat;1.234,50 €;5;24.12.2030\n"
    report = await load(session, content, FileLayout(decimal_comma=True, date_formats=("%d.%m.%Y",)))
    assert (report.imported, report.bad) == (1, 0)
    assert await session.scalar(select(Product.base_price)) == Decimal("1234.50")


async def test_categories_in_another_spelling_are_one_category(session: AsyncSession) -> None:
    await load_rows(session, "A,Rice,Pantry,2,,5,2030-01-01,,", "B,Oats, PANTRY ,3,,7,2030-01-01,,")
    assert set(await session.scalars(select(Product.category_key))) == {"pantry"}


async def test_a_rehearsal_leaves_nothing_behind(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        report = await load(session, QUIRKY, GROCER)
        await session.rollback()
        assert report.imported == 5
        assert await session.scalar(select(func.count()).select_from(Batch)) == 0


async def test_every_bad_row_is_told_however_many_the_report_keeps(session: AsyncSession) -> None:
    told: list[BadRow] = []
    rows = [f"S{number},Rice,Pantry,free,,5,2030-01-01,," for number in range(MAX_BAD_ROWS_KEPT + 500)]
    content = (HEADER + "\n".join([*rows, "A,Rice,Pantry,2,,5,2030-01-01,,"])).encode()
    report = (await import_catalogue(session, [content], on_bad_row=told.append)).report
    assert (report.imported, report.bad, len(report.bad_rows)) == (1, len(rows), MAX_BAD_ROWS_KEPT)
    assert [row.line for row in told] == list(range(2, len(rows) + 2))


async def test_a_file_longer_than_one_statement_is_imported_whole(session: AsyncSession) -> None:
    rows = [f"S{number % 700},Rice,Pantry,2,,{number},2030-01-01,L{number}," for number in range(4500)]
    report = await load_rows(session, *rows)
    assert (report.imported, report.products_new, report.batches_new) == (4500, 700, 4500)
    assert await session.scalar(select(func.sum(Batch.quantity))) == sum(range(4500))


async def test_the_largest_values_fit_and_what_is_larger_is_only_a_bad_row(session: AsyncSession) -> None:
    report = await load_rows(
        session,
        f"{'A' * 64},{'n' * 200},{'ΐ' * 100},9999999999.99,9999999999.99,2147483647,2098-12-31,{'L' * 64},",
        f"{'B' * 65},{'n' * 201},{'c' * 101},10000000000,-1,2147483648,9999-12-31,{'L' * 65},",
        "C\0,Rice,Pantry,2,,5,2030-01-01,,",
    )
    assert (report.imported, [row.line for row in report.bad_rows]) == (1, [3, 4])
    assert len(report.bad_rows[0].problems) == 8


async def test_a_column_that_is_missing_refuses_the_whole_file(session: AsyncSession) -> None:
    with pytest.raises(InvalidInput, match="no column for sku, name, category, base_price"):
        await load(session, QUIRKY, replace(GROCER, columns={}))


async def test_a_batch_added_by_an_import_takes_no_more_ids_than_it_needs(session: AsyncSession) -> None:
    for _ in range(3):
        await load_rows(session, "A,Rice,Pantry,2,,5,2030-01-01,,")
    await load_rows(session, "B,Rice,Pantry,2,,5,2030-01-01,,")
    first, second = (await session.scalars(select(Product.id).order_by(Product.id))).all()
    assert second == first + 1

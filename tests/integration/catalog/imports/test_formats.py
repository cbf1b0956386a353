"""Files as they come are imported whole: JSON documents, gzip, title rows, workbooks, words of currencies."""

import gzip
import json
from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.db.tables import Product
from flexiprice.errors import InvalidInput
from tests.support.import_files import load, reasons, stock
from tests.support.workbooks import Cell, Error, xlsx

OATS = {
    "sku": "O-1",
    "name": "Oats",
    "category": "Pantry",
    "base_price": 2.5,
    "quantity": 12,
    "expiry_date": "2030-03-01",
}


async def test_a_json_array_is_imported_and_a_bad_record_is_named_by_its_place(session: AsyncSession) -> None:
    records = [OATS, OATS | {"sku": "O-2", "quantity": "many"}, OATS | {"sku": 4006381333931}]
    report = await load(session, json.dumps(records, indent=1))
    assert (report.read, report.imported) == (3, 2)
    assert reasons(report) == [(2, "quantity: 'many' is not a quantity")]
    assert [sku for _, sku, *_ in await stock(session)] == ["4006381333931", "O-1"]


async def test_a_broken_json_document_imports_nothing(session: AsyncSession) -> None:
    with pytest.raises(InvalidInput, match="not JSON after record 2999"):
        await load(session, json.dumps([OATS | {"lot": str(number)} for number in range(3000)])[:-20])
    assert await stock(session) == []


async def test_a_number_of_json_has_a_decimal_point_whatever_the_texts_use(session: AsyncSession) -> None:
    records = [
        OATS | {"base_price": 1.25, "quantity": 3.0},
        OATS | {"sku": "O-2", "base_price": "1,25", "quantity": "1.000"},
    ]
    report = await load(session, json.dumps(records), FileLayout(decimal_comma=True))
    assert reasons(report) == []
    assert [quantity for *_, quantity in await stock(session)] == [3, 1000]
    assert set(await session.scalars(select(Product.base_price))) == {Decimal("1.25")}


async def test_fields_of_nested_objects_are_mapped_by_their_path(session: AsyncSession) -> None:
    record = {
        "amount": 4,
        "best_before_date": "2030-05-01",
        "product": {"id": 17, "name": "Rye bread", "group": {"name": "Bakery"}, "price": "3.20"},
    }
    mapping = (
        "sku=product.id",
        "name=product.name",
        "category=product.group.name",
        "base_price=product.price",
        "quantity=amount",
        "expiry_date=best_before_date",
    )
    layout = FileLayout(columns=parse_column_map(mapping))
    for content in (json.dumps([record]), json.dumps(record) + "\n" + json.dumps(record | {"product": 1})):
        report = await load(session, content, layout)
        assert report.imported == 1
        assert await stock(session) == [("main", "17", "", date(2030, 5, 1), 4)]
    assert reasons(report)[0][1].startswith("sku: is empty")


async def test_a_compressed_file_with_title_rows_is_imported_with_a_warning(session: AsyncSession) -> None:
    content = (
        "sep=;\nStock on hand, 26.11.2029\nmain shop\n"
        "sku;name;category;base_price;quantity;expiry_date\nA;Rice;Pantry;2,50;5;2030-01-01\n"
    )
    report = await load(session, gzip.compress(content.encode()), FileLayout(decimal_comma=True))
    assert (report.imported, report.bad) == (1, 0)
    assert [(warning.line, warning.message) for warning in report.warnings] == [
        (None, "rows above the header were skipped: line 2 'Stock on hand, 26.11.2029', line 3 'main shop'")
    ]
    assert await stock(session) == [("main", "A", "", date(2030, 1, 1), 5)]


PRICES = ("3,49 zł", "29,90 Kč", "19,50 kr", "CHF 2.80", "Rs. 80.00", "₹ 1,20,000.00", "2.499", ".89")


async def load_prices(session: AsyncSession, currency: str, *, decimal_comma: bool) -> ImportReport:
    rows = "".join(f'P-{place},Bread,Bakery,"{price}",3,2030-01-01\n' for place, price in enumerate(PRICES))
    content = f"sku,name,category,base_price,quantity,expiry_date\n{rows}"
    return await load(session, content, FileLayout(currency=currency, decimal_comma=decimal_comma))


@pytest.mark.parametrize(
    ("currency", "decimal_comma", "read"),
    [
        ("PLN", True, ["3.49", "2499.00"]),
        ("CZK", True, ["29.90", "2499.00"]),
        ("SEK", True, ["19.50", "2499.00"]),
        ("CHF", False, ["2.80", "0.89"]),
        ("INR", False, ["80.00", "120000.00", "0.89"]),
    ],
)
async def test_prices_in_the_shops_own_currency_are_read_and_no_others(
    session: AsyncSession, currency: str, decimal_comma: bool, read: list[str]
) -> None:
    report = await load_prices(session, currency, decimal_comma=decimal_comma)
    prices = await session.scalars(select(Product.base_price).order_by(Product.sku))
    assert [str(price) for price in prices] == read
    assert report.bad == len(PRICES) - len(read)


async def test_a_price_in_another_currency_is_an_error_that_names_it(session: AsyncSession) -> None:
    report = await load_prices(session, "EUR", decimal_comma=False)
    said = [reason for _, reason in reasons(report)]
    named = ["PLN", "CZK", "DKK or NOK or SEK", "CHF", "INR or LKR or MUR or NPR or PKR", "INR"]
    for price, name, reason in zip(PRICES, named, said[:-1], strict=False):
        assert f"{price!r} is a price in {name}, and this shop's prices are in EUR" in reason
    assert len(said) == len(named) + 1
    assert "at most 2 decimals" in said[-1]


async def test_a_workbook_is_imported_as_its_cells_are_meant(session: AsyncSession) -> None:
    header = ["SKU", "Name", "Category", "Base price", "Quantity", "Expiry date", "Lot"]
    rows: list[list[Cell]] = [
        ["Stock of the main shop"],
        list(header),
        [4006381333931, "Milk", "Dairy", 1.25, 12, date(2030, 1, 2), date(2029, 12, 24)],
        ["0012", "Rye", "Bakery", "1,25", 4.0, "24.12.2030", 7],
        [123456789012345678, "Oats", "Pantry", 2, 1, 47847, None],
        [date(2030, 10, 2), "Peas", "Pantry", True, Error("#N/A"), datetime(2030, 1, 2, 7), None],  # noqa: DTZ001
    ]
    layout = FileLayout(decimal_comma=True, date_formats=("%d.%m.%Y",))
    report = await load(session, xlsx({"Stock": rows}), layout)
    assert await stock(session) == [
        ("main", "0012", "7", date(2030, 12, 24), 4),
        ("main", "4006381333931", "2029-12-24", date(2030, 1, 2), 12),
    ]
    assert set(await session.scalars(select(Product.base_price))) == {Decimal("1.25")}
    assert [(warning.line, warning.column) for warning in report.warnings] == [(None, None), (3, "Lot")]
    (_, large), (_, others) = reasons(report)
    assert "SKU: '1.23456789012346e+17' is a number that Excel shortened" in large
    assert "Expiry date: '47847' is not a date written as %d.%m.%Y; a spreadsheet's day number" in large
    for reason in (
        "SKU: '2030-10-02' is a date in the workbook, where a code or a name is needed",
        "Base price: is true where a text or a number is needed",
        "Quantity: is an error value, such as #N/A, where a text or a number is needed",
        "Expiry date: '2030-01-02 07:00:00' has a time of day: --timestamps local",
    ):
        assert reason in others


async def test_an_error_value_in_an_optional_column_is_not_taken_for_an_empty_cell(
    session: AsyncSession,
) -> None:
    header = ["sku", "name", "category", "base_price", "quantity", "expiry_date", "store", "lot"]
    row: list[Cell] = ["A", "Rice", "Pantry", 2, 1, date(2030, 1, 2), Error("#N/A"), Error("#REF!")]
    report = await load(session, xlsx({"Stock": [list(header), row]}))
    assert [problem.column for problem in report.bad_rows[0].problems] == ["store", "lot"]
    assert await stock(session) == []

"""Units in imported files: weighed stock, pieces, negative stock, and rows that do not fit their product."""

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.db.tables import Product
from flexiprice.domain.quantity import Unit
from tests.support.import_files import load, load_rows, reasons, stock

HEADER = "sku,name,category,base_price,unit,quantity,expiry_date\n"
DAY = date(2030, 1, 2)


async def load_units(session: AsyncSession, *rows: str, layout: FileLayout | None = None) -> ImportReport:
    return await load(session, HEADER + "\n".join(rows), layout)


async def units(session: AsyncSession) -> dict[str, Unit]:
    return {row.sku: row.unit for row in await session.execute(select(Product.sku, Product.unit))}


async def quantities(session: AsyncSession) -> dict[str, Decimal]:
    return {sku: quantity for _, sku, _, _, quantity in await stock(session)}


async def test_an_erp_export_of_weighed_goods_pieces_and_negative_stock_is_imported(
    session: AsyncSession,
) -> None:
    report = await load_units(
        session,
        "CHEESE,Gouda,Dairy,18.90,kg,12.350,2030-01-02",
        "EGGS,Eggs 6,Eggs,2.49,Nos,120.000,2030-01-02",
        "MILK,Milk,Dairy,1.29,each,-2,2030-01-02",
    )
    assert reasons(report) == []
    assert await quantities(session) == {"CHEESE": Decimal("12.35"), "EGGS": 120, "MILK": 0}
    assert await units(session) == {"CHEESE": Unit.KG, "EGGS": Unit.EACH, "MILK": Unit.EACH}
    (warning,) = report.warnings
    assert (warning.line, warning.column) == (4, "quantity")
    assert warning.message == "'-2' is negative; the stock is kept as 0"


async def test_a_fraction_of_a_piece_is_a_bad_row_and_the_rest_goes_on(session: AsyncSession) -> None:
    report = await load_units(
        session, "HAM,Ham,Meat,3.00,,0.5,2030-01-02", "EGGS,Eggs 6,Eggs,2.49,,3,2030-01-02"
    )
    ((line, reason),) = reasons(report)
    assert line == 2
    assert reason.startswith("quantity: 0.5 is a fraction, and the product is counted in each: write a whole")
    assert await quantities(session) == {"EGGS": 3}
    assert await units(session) == {"EGGS": Unit.EACH}


async def test_pieces_that_a_point_groups_name_the_option_that_reads_them(session: AsyncSession) -> None:
    report = await load_units(session, "EGGS,Eggs 6,Eggs,2.49,each,1.200,2030-01-02")
    assert reasons(report)[0][1].endswith("--decimal-comma reads it as 1200")


async def test_a_comma_in_a_weight_is_refused_where_it_may_be_a_decimal_sign(session: AsyncSession) -> None:
    report = await load_units(
        session,
        'CHEESE,Gouda,Dairy,18.90,kg,"12,350",2030-01-02',
        'EGGS,Eggs 6,Eggs,2.49,each,"12,350",2030-01-02',
    )
    ((line, reason),) = reasons(report)
    assert (line, reason.partition(":")[2].partition(";")[0]) == (
        2,
        " '12,350' may be 12350 kg or 12.35 kg: write it without the comma",
    )
    assert await quantities(session) == {"EGGS": 12_350}


async def test_a_decimal_comma_reads_weights(session: AsyncSession) -> None:
    layout = FileLayout(decimal_comma=True)
    await load_units(session, 'CHEESE,Gouda,Dairy,"18,90",kg,"12,350",2030-01-02', layout=layout)
    assert await quantities(session) == {"CHEESE": Decimal("12.35")}


async def test_a_product_keeps_its_unit_where_a_file_has_none(session: AsyncSession) -> None:
    await load_units(session, "CHEESE,Gouda,Dairy,18.90,kg,12.350,2030-01-02")
    await load_rows(session, "CHEESE,Gouda,Dairy,19.90,,3.5,2030-01-02,,")
    assert await units(session) == {"CHEESE": Unit.KG}
    assert await quantities(session) == {"CHEESE": Decimal("3.5")}


async def test_one_row_may_name_the_unit_of_all_rows_of_its_product(session: AsyncSession) -> None:
    report = await load_units(
        session,
        "CHEESE,Gouda,Dairy,18.90,,1.5,2030-01-02",
        "CHEESE,Gouda,Dairy,18.90,kg,2.5,2030-01-03",
    )
    assert (reasons(report), await units(session)) == ([], {"CHEESE": Unit.KG})


async def test_rows_that_give_one_product_two_units_are_all_bad(session: AsyncSession) -> None:
    report = await load_units(
        session,
        "CHEESE,Gouda,Dairy,18.90,kg,1.5,2030-01-02",
        "CHEESE,Gouda,Dairy,18.90,each,2,2030-01-03",
        "CHEESE,Gouda,Dairy,18.90,,3,2030-01-04",
    )
    assert [line for line, _ in reasons(report)] == [2, 3, 4]
    assert reasons(report)[0][1].startswith("unit: is kg here and each on line 3, for the same product")
    assert await units(session) == {}


async def test_the_unit_of_stock_does_not_change_and_that_of_a_product_without_does(
    session: AsyncSession,
) -> None:
    await load_units(
        session, "CHEESE,Gouda,Dairy,18.90,each,3,2030-01-02", "HAM,Ham,Meat,3.00,each,0,2030-01-02"
    )
    report = await load_units(
        session, "CHEESE,Gouda,Dairy,18.90,kg,3.5,2030-01-02", "HAM,Ham,Meat,3.00,kg,0.5,2030-01-02"
    )
    ((line, reason),) = reasons(report)
    assert line == 2
    assert reason == (
        "unit: is kg here, and the product is counted in each: set its stock to 0 before the unit changes"
    )
    assert await units(session) == {"CHEESE": Unit.EACH, "HAM": Unit.KG}
    assert await quantities(session) == {"CHEESE": 3, "HAM": Decimal("0.5")}


async def test_a_file_of_stock_alone_is_checked_by_its_unit_and_changes_none(session: AsyncSession) -> None:
    await load_units(session, "HAM,Ham,Meat,3.00,each,0,2030-01-02")
    report = await load(session, "sku,uom,quantity,expiry_date\nHAM,kg,2,2030-01-02\nHAM,pcs,2,2030-01-03\n")
    assert reasons(report) == [
        (2, "uom: is kg here, and the product is counted in each: change the unit first")
    ]
    assert await units(session) == {"HAM": Unit.EACH}


async def test_an_unknown_unit_is_a_bad_row_that_says_what_to_write(session: AsyncSession) -> None:
    report = await load_units(session, "EGGS,Eggs,Eggs,2.49,Dozens,3,2030-01-02")
    ((line, reason),) = reasons(report)
    assert line == 2
    assert reason == (
        "unit: 'Dozens' is not one of the units each, kg, lb, l, m: convert quantities and prices to one of "
        "them; --map unit= leaves the column out"
    )


async def test_numbers_of_json_are_quantities_as_they_stand(session: AsyncSession) -> None:
    cheese = {"sku": "CHEESE", "name": "Gouda", "category": "Dairy", "base_price": 18.9, "unit": "kg"}
    rows = [cheese | {"quantity": 12.35, "expiry_date": "2030-01-02"}]
    report = await load(session, json.dumps(rows))
    assert reasons(report) == []
    assert await quantities(session) == {"CHEESE": Decimal("12.35")}


@pytest.mark.parametrize(
    ("export", "header"),
    [
        (
            ExportName.ODOO,
            (
                "Product/Internal Reference,Product/Name,Product/Product Category,Product/Sales Price,"
                "Unit of Measure,On Hand Quantity,Expiration Date"
            ),
        ),
        (
            ExportName.ERPNEXT,
            "Item Code,Item Name,Item Group,Standard Selling Rate,Stock UOM,Balance Qty,Expiry Date",
        ),
        (
            ExportName.ERPNEXT,
            "Item Code,Item Name,Item Group,Standard Selling Rate,Default Unit of Measure,Qty,Expiry Date",
        ),
    ],
)
async def test_known_exports_have_the_unit(session: AsyncSession, export: ExportName, header: str) -> None:
    layout = FileLayout(export=KNOWN_EXPORTS[export])
    report = await load(session, f"{header}\nCHEESE,Gouda,Dairy,18.90,Kg,12.350,2030-01-02\n", layout)
    assert reasons(report) == []
    assert (await units(session), await quantities(session)) == (
        {"CHEESE": Unit.KG},
        {"CHEESE": Decimal("12.35")},
    )

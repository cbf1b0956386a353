"""Exports of other systems are read by the name of the system, with the headers that they really have."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.db.tables import Product, Store
from flexiprice.errors import InvalidInput
from tests.support.import_files import load, load_rows, reasons, stock
from tests.support.workbooks import xlsx

RICE, OATS = date(2030, 1, 2), date(2030, 2, 3)


def of(name: ExportName, *pairs: str, **options) -> FileLayout:
    return FileLayout(export=KNOWN_EXPORTS[name], columns=parse_column_map(pairs), **options)


async def products(session: AsyncSession) -> dict[str, tuple[str, str, Decimal]]:
    rows = await session.execute(select(Product.sku, Product.name, Product.category, Product.base_price))
    return {sku: (name, category, price) for sku, name, category, price in rows}


async def test_an_odoo_export_of_lots_with_fields_of_their_products_is_imported(
    session: AsyncSession,
) -> None:
    header = (
        "Lot/Serial Number,Internal Reference,Product,Product/Internal Reference,Product/Name,"
        "Product/Product Category,Product/Sales Price,Product/Cost,On Hand Quantity,Expiration Date,Company\n"
    )
    content = (
        f"{header}LOT-1,,[RICE-1] Rice,RICE-1,Rice,All / Pantry,2.50,1.20,12.0,2030-01-02 00:00:00,Shop\n"
        "LOT-2,,[OATS-1] Oats,OATS-1,Oats,All / Pantry,3.00,1.10,4.0,2030-02-03 09:30:00,Shop\n"
    )
    report = await load(session, content, of(ExportName.ODOO))
    assert await stock(session) == [("main", "RICE-1", "LOT-1", RICE, 12)]
    assert await products(session) == {"RICE-1": ("Rice", "All / Pantry", Decimal("2.50"))}
    assert "--timestamps written the date as it stands" in reasons(report)[0][1]
    assert report.unused_columns == ("Internal Reference", "Product", "Company")


async def test_an_odoo_export_of_quants_for_another_import_is_stock_alone(session: AsyncSession) -> None:
    await load_rows(session, "RICE-1,Rice,Pantry,2.50,,1,2029-01-01,,")
    rows = [
        ["id", "product_id", "product_id/default_code", "lot_id/name", "quantity", "expiration_date"],
        ["__export__.q1", "[RICE-1] Rice", "RICE-1", "LOT-1", 12.0, RICE],
    ]
    report = await load(session, xlsx({"Sheet1": rows}), of(ExportName.ODOO))
    assert (report.imported, report.products_unchanged) == (1, 0)
    (warning,) = report.warnings
    assert warning.message.startswith("name is not read: name, category and base_price belong together")


async def test_erpnext_reports_name_the_batch_and_what_they_lack_is_an_error(session: AsyncSession) -> None:
    header = "Item,Item Name,Description,Warehouse,Batch,Expires On,Expiry (In Days)"
    with pytest.raises(InvalidInput, match="no column for quantity"):
        await load(session, f"{header}\nRICE-1,Rice,,Main,B-1,2030-01-02,30\n", of(ExportName.ERPNEXT))
    header = (
        "ID,Batch ID,Item,Item Name,Item Group,Standard Selling Rate,Batch Quantity,Expiry Date,Warehouse"
    )
    content = f"{header}\nB-1,B-1,RICE-1,Rice,Pantry,2.50,12,2030-01-02,Main\n"
    report = await load(session, content, of(ExportName.ERPNEXT))
    assert await stock(session) == [("main", "RICE-1", "B-1", RICE, 12)]
    assert report.unused_columns == ("ID",)


SQUARE = (
    "Token,Item Name,Variation Name,SKU,Description,Categories,Reporting Category,GTIN,Price,"
    "Default Unit Cost,Current Quantity Main Street,New Quantity Main Street,"
    "Stock Alert Count Main Street,Best by"
)


async def test_the_quantity_of_a_square_location_is_read_where_there_is_one(session: AsyncSession) -> None:
    row = "T1,Rice,Regular,RICE-1,,Pantry (T9),Pantry,,2.50,1.20,12,,3,2030-01-02"
    layout = of(ExportName.SQUARE, "expiry_date=Best by")
    report = await load(session, f"{SQUARE}\n{row}\n", layout)
    assert await stock(session) == [("main", "RICE-1", "", RICE, 12)]
    assert await products(session) == {"RICE-1": ("Rice", "Pantry", Decimal("2.50"))}
    assert report.columns["quantity"] == "Current Quantity Main Street"
    two = f"{SQUARE},Current Quantity Harbour\n{row},7\n"
    with pytest.raises(InvalidInput) as refusal:
        await load(session, two, layout)
    assert refusal.value.message == (
        "the file has several columns for quantity: 'Current Quantity Main Street', "
        "'Current Quantity Harbour'; import it once for each, with its store\n"
        "Try: --map 'quantity=Current Quantity Main Street'"
    )
    chosen = of(ExportName.SQUARE, "expiry_date=Best by", "quantity=Current Quantity Harbour")
    await load(session, two, chosen)
    assert [quantity for *_, quantity in await stock(session)] == [7]


SHOPIFY = (
    "Title,URL handle,Vendor,Product category,Type,SKU,Barcode,Option1 name,Option1 value,Price,"
    "Compare-at price,Cost per item,Inventory quantity,Best before (product.metafields.custom.expiry_date)"
)


BEFORE_2025 = {
    "URL handle": "Handle",
    "SKU": "Variant SKU",
    ",Price": ",Variant Price",
    "Compare-at price": "Variant Compare At Price",
    "Inventory quantity": "Variant Inventory Qty",
}


async def test_variants_of_a_shopify_product_take_its_title_and_the_regular_price(
    session: AsyncSession,
) -> None:
    content = (
        f"{SHOPIFY}\n"
        "Rice,rice,Mill,Pantry,Grain,RICE-1,,Size,1 kg,2.00,2.50,1.20,12,2030-01-02\n"
        ",rice,,,,RICE-5,,Size,5 kg,11.00,,6.00,4,2030-02-03\n"
        ",oats,,,,OATS-1,,Size,1 kg,3.00,,1.00,4,2030-02-03\n"
    )
    report = await load(session, content, of(ExportName.SHOPIFY))
    assert await products(session) == {
        "RICE-1": ("Rice", "Pantry", Decimal("2.50")),
        "RICE-5": ("Rice", "Pantry", Decimal("11.00")),
    }
    assert [line for line, _ in reasons(report)] == [4]
    # The price is read where the regular one is empty, so it is no column without a use.
    assert "Price" not in report.unused_columns
    before = (
        SHOPIFY.replace("URL handle", "Handle")
        .replace("SKU", "Variant SKU")
        .replace("Price", "Variant Price")
    )
    before = before.replace("Compare-at price", "Variant Compare At Price")
    before = before.replace("Inventory quantity", "Variant Inventory Qty")
    content = content.replace(SHOPIFY, before)
    assert (await load(session, content, of(ExportName.SHOPIFY))).batches_unchanged == 2


async def test_a_shopify_inventory_goes_to_the_store_of_its_location(session: AsyncSession) -> None:
    await load_rows(session, "RICE-1,Rice,Pantry,2.50,,1,2029-01-01,,")
    await session.execute(insert(Store).values(code="main-street"))
    header = (
        "Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,COO,Location,Bin name,Incoming (not editable),"
        "Unavailable (not editable),Committed (not editable),Available (not editable),On hand (current),"
        "On hand (new)"
    )
    row = "rice,Rice,Size,1 kg,RICE-1,,,{},,0,0,2,10,12,"
    content = f"{header}\n{row.format('Main Street')}\n"
    with pytest.raises(InvalidInput, match="no column for expiry_date"):
        await load(session, content, of(ExportName.SHOPIFY))
    dated = (
        f"{header},Best before\n{row.format('Main Street')},2030-01-02\n{row.format('Harbour')},2030-01-02\n"
    )
    report = await load(session, dated, of(ExportName.SHOPIFY, "expiry_date=Best before"))
    assert ("main-street", "RICE-1", "", RICE, 12) in await stock(session)
    ways = "`flexiprice stores create harbour`, `POST /admin/stores` or the monitor"
    assert reasons(report) == [(3, f"Location: there is no store 'Harbour'; add it by {ways}")]


async def test_stock_entries_of_grocy_are_read_with_names_from_within(session: AsyncSession) -> None:
    await load_rows(session, "17,Rice,Pantry,2.50,,1,2029-01-01,,")
    entry = {
        "id": 4,
        "product_id": 17,
        "amount": 12,
        "best_before_date": "2030-01-02",
        "stock_id": "6788a1b2",
        "price": 1.2,
        "open": 0,
        "location_id": 2,
        "note": None,
    }
    report = await load(session, json.dumps([entry]), of(ExportName.GROCY))
    assert ("main", "17", "6788a1b2", RICE, 12) in await stock(session)
    assert report.columns.keys() == {"sku", "lot", "quantity", "expiry_date"}
    current = {"product_id": 18, "amount": 4, "best_before_date": "2030-02-03"} | {
        "product": {"id": 18, "name": "Oats", "product_group_id": 3}
    }
    layout = of(ExportName.GROCY, "category=product.product_group_id", "base_price=price")
    report = await load(session, json.dumps([current | {"price": 3}]), layout)
    assert (await products(session))["18"] == ("Oats", "3", Decimal("3.00"))


async def test_openboxes_quantities_are_the_counted_ones_and_its_own_where_none_is(
    session: AsyncSession,
) -> None:
    await load_rows(
        session, "RICE-1,Rice,Pantry,2.50,,1,2029-01-01,,", "OATS-1,Oats,Pantry,3,,1,2029-01-01,,"
    )
    content = (
        "Product code,Product name,Lot number,Expiration date,Bin location,OB QOH,Physical QOH,Comment\n"
        "RICE-1,Rice,L1,02/01/2030,R1,14,12,\n"
        "OATS-1,Oats,L2,03/02/2030,R1,4,,\n"
        "OATS-1,Oats,,,R2,7,,\n"
    )
    layout = of(ExportName.OPENBOXES, date_formats=("%d/%m/%Y",))
    report = await load(session, content, layout)
    assert ("main", "RICE-1", "L1", RICE, 12) in await stock(session)
    assert ("main", "OATS-1", "L2", OATS, 4) in await stock(session)
    assert reasons(report) == [
        (4, "Expiration date: is empty, and it is required; --no-expiry keep keeps goods without a date")
    ]
    assert report.unused_columns == ("Product name", "Bin location", "Comment")
    counted = replace(layout, columns=parse_column_map(["quantity=Physical QOH"]))
    assert [line for line, _ in reasons(await load(session, content, counted))] == [3, 4]


async def test_the_export_that_has_all_columns_of_a_file_is_suggested(session: AsyncSession) -> None:
    headers = {
        "Product code,Lot number,Expiration date,OB QOH,Physical QOH": "\nOr: --format openboxes",
        "Item,Batch,Expires On,Balance Qty": "\nOr: --format erpnext",
        "Article,Expires On,Balance Qty": "",
    }
    for header, suggested in headers.items():
        with pytest.raises(InvalidInput) as refusal:
            await load(session, f"{header}\n")
        assert refusal.value.message.partition("Try: ")[2].partition("\n")[2] == suggested.strip()


async def test_a_mapping_wins_over_the_export_and_title_rows_are_found_by_its_names(
    session: AsyncSession,
) -> None:
    content = (
        "Cycle count\nProduct code,Product name,Category,Sell,Expiration date,OB QOH,Code 2\n"
        "RICE-1,Rice,Pantry,2.50,2030-01-02,12,R1\n"
    )
    layout = of(ExportName.OPENBOXES, "sku=Code 2", "base_price=Sell")
    report = await load(session, content, layout)
    assert await products(session) == {"R1": ("Rice", "Pantry", Decimal("2.50"))}
    assert [warning.message for warning in report.warnings] == [
        "rows above the header were skipped: line 1 'Cycle count'"
    ]

"""An import gives products their GTINs, and never one of another product."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.importer import FileLayout
from flexiprice.catalog.products import create_product, get_product, list_products
from flexiprice.db.tables import Product
from tests.support.import_files import load, reasons

BREAD = "04006381333931"
CASE = "14006381333938"
UPC = "00012345678905"
HEADER = "sku,name,category,base_price,quantity,expiry_date"


async def gtins(session: AsyncSession) -> dict[str, tuple[str, ...]]:
    return {product.sku: product.gtins for product in await list_products(session)}


def row(sku: str, gtin: str, *, day: int = 1) -> str:
    return f"{sku},{sku},Bakery,2.00,5,2030-01-{day:02},{gtin}"


@pytest.mark.parametrize("name", ["gtin", "GTIN", "EAN", "EAN13", "Ean-13", "barcode", "UPC", "Barcodes"])
async def test_a_column_of_gtins_is_found_by_its_common_names(session: AsyncSession, name: str) -> None:
    report = await load(session, f"{HEADER},{name}\n{row('RYE', '4006381333931')}")
    assert (report.columns["gtin"], report.gtins_new, report.bad) == (name, 1, 0)
    assert await gtins(session) == {"RYE": (BREAD,)}


async def test_products_gain_the_gtins_of_all_their_rows_and_lose_none(session: AsyncSession) -> None:
    first = [row("RYE", BREAD), row("RYE", "012345678905 | 4006381333931", day=2), row("OAT", "")]
    report = await load(session, "\n".join([f"{HEADER},gtin", *first]))
    assert (report.gtins_new, report.bad, report.written["gtins_new"]) == (2, 0, 2)
    assert await gtins(session) == {"OAT": (), "RYE": (UPC, BREAD)}

    second = [row("RYE", f'"{CASE};{BREAD}"'), row("OAT", "")]
    report = await load(session, "\n".join([f"{HEADER},gtin", *second]))
    assert (report.gtins_new, report.products_unchanged) == (1, 2)
    assert await gtins(session) == {"OAT": (), "RYE": (UPC, BREAD, CASE)}

    report = await load(session, "\n".join([f"{HEADER},gtin", row("RYE", CASE)]))
    assert (report.gtins_new, dict(report.written)) == (0, {})


async def test_a_gtin_that_a_product_gains_shows_to_readers_of_changes(session: AsyncSession) -> None:
    await load(session, f"{HEADER},gtin\n{row('RYE', BREAD)}\n{row('OAT', UPC)}")
    await session.execute(text("ALTER TABLE products DISABLE TRIGGER USER"))
    await session.execute(update(Product).values(updated_at=Product.updated_at - timedelta(days=1)))
    await session.execute(text("ALTER TABLE products ENABLE TRIGGER USER"))
    before = (await get_product(session, "OAT")).updated_at
    await load(session, f"{HEADER},gtin\n{row('RYE', CASE)}\n{row('OAT', UPC)}")
    assert (await get_product(session, "OAT")).updated_at == before
    assert (await get_product(session, "RYE")).updated_at > before


async def test_stock_levels_may_bring_gtins_for_products_that_exist(session: AsyncSession) -> None:
    await load(session, f"{HEADER}\nRYE,Rye,Bakery,2.00,5,2030-01-01")
    lines = ["sku,quantity,expiry_date,ean", f"RYE,3,2030-01-01,{BREAD}", f"NONE,3,2030-01-01,{UPC}"]
    report = await load(session, "\n".join(lines))
    assert (report.gtins_new, [line for line, _ in reasons(report)]) == (1, [3])
    assert await gtins(session) == {"RYE": (BREAD,)}


async def test_a_gtin_that_cannot_be_makes_its_row_bad_and_names_the_way_without(
    session: AsyncSession,
) -> None:
    rows = [row("RYE", "4006381333932"), row("OAT", "4006381333931|123"), row("EMMER", "4.00638E+12")]
    report = await load(session, "\n".join([f"{HEADER},EAN", *rows]))
    first, second, third = [reason for _, reason in reasons(report)]
    assert first == (
        "EAN: '4006381333932' must end in its check digit 1, not in 2: a digit is wrong; "
        "--map gtin= leaves the column out"
    )
    assert second.startswith("EAN: '123' must have 8, 12, 13 or 14 digits")
    assert "digits of it are lost" in third
    assert await gtins(session) == {}

    left_out = FileLayout(columns=parse_column_map(["gtin="]))
    report = await load(session, "\n".join([f"{HEADER},EAN", *rows]), left_out)
    assert (report.imported, report.unused_columns) == (3, ("EAN",))


async def test_a_gtin_of_another_product_makes_its_row_bad_and_names_that_product(
    session: AsyncSession,
) -> None:
    price = Decimal("2.00")
    await create_product(session, sku="RYE", name="Rye", category="Bakery", base_price=price, gtins=[BREAD])
    rows = [row("RYE", BREAD), row("OAT", f"{UPC} {BREAD}"), row("OAT", UPC, day=2)]
    report = await load(session, "\n".join([f"{HEADER},gtin", *rows]))
    assert reasons(report) == [(3, f"gtin: {BREAD} is the GTIN of the product 'RYE'")]
    assert await gtins(session) == {"OAT": (UPC,), "RYE": (BREAD,)}


async def test_a_gtin_of_two_products_in_a_file_makes_their_rows_bad(session: AsyncSession) -> None:
    rows = [row("RYE", BREAD), row("OAT", BREAD), row("RYE", UPC, day=2), row("OAT", BREAD, day=2)]
    report = await load(session, "\n".join([f"{HEADER},gtin", *rows]))
    assert reasons(report) == [
        (2, f"gtin: {BREAD} is also the GTIN of 'OAT' on line 3: neither row is imported"),
        (3, f"gtin: {BREAD} is also the GTIN of 'RYE' on line 2: neither row is imported"),
        (5, f"gtin: {BREAD} is also the GTIN of 'RYE' on line 2: neither row is imported"),
    ]
    assert await gtins(session) == {"RYE": (UPC,)}


async def test_a_column_that_holds_the_sku_need_not_be_a_gtin(session: AsyncSession) -> None:
    lines = ["EAN,name,category,base_price,quantity,expiry_date", "123,Rye,Bakery,2.00,5,2030-01-01"]
    report = await load(session, "\n".join(lines), FileLayout(columns=parse_column_map(["sku=EAN"])))
    assert (report.imported, dict(report.columns).get("gtin")) == (1, None)
    assert await gtins(session) == {"123": ()}
    lines = ["EAN,name,category,base_price,quantity,expiry_date", f"{BREAD},Rye,Bakery,2.00,5,2030-01-01"]
    both = FileLayout(columns=parse_column_map(["sku=EAN", "gtin=EAN"]))
    assert (await load(session, "\n".join(lines), both)).imported == 1
    assert (await get_product(session, BREAD)).gtins == (BREAD,)


async def test_two_columns_of_gtins_are_not_guessed_between(session: AsyncSession) -> None:
    report = await load(session, f"{HEADER},ean,upc\n{row('RYE', f'{BREAD},{UPC}')}")
    assert (report.imported, report.gtins_new) == (1, 0)
    [warning] = report.warnings
    assert warning.message == "may hold gtin, which has no column: --map gtin=ean or --map gtin=upc reads it"

"""A file of prices alone: of products, of products in stores, and of days to come."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.price_importer import PriceReport, import_prices
from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.clock import database_now
from flexiprice.db.store_price_tables import PriceListEntry, StorePrice
from flexiprice.db.tables import Product, Store
from flexiprice.errors import InvalidInput
from tests.support.builders import a_product

HEADER = "sku,base_price,store,valid_from,valid_until\n"


@pytest.fixture(autouse=True)
async def shop(session: AsyncSession) -> None:
    await session.execute(insert(Store).values(code="station", time_zone="UTC"))
    for sku in ("MILK", "RYE"):
        await a_product(session, sku=sku, base_price="2.00")


async def _day(session: AsyncSession, days: int) -> date:
    return (await database_now(session)).date() + timedelta(days=days)


async def _load(
    session: AsyncSession, *rows: str, header: str = HEADER, store: str | None = None
) -> PriceReport:
    content = header + "".join(f"{row}\n" for row in rows)
    return await import_prices(session, [content.encode()], FileLayout(), store=store)


async def _entries(session: AsyncSession) -> list[tuple[str, str | None, str, date, date | None]]:
    row = PriceListEntry
    query = (
        select(Product.sku, Store.code, row.price, row.valid_from, row.valid_until)
        .select_from(row)
        .join(Product, Product.id == row.product_id)
        .outerjoin(Store, Store.id == row.store_id)
        .order_by(Product.sku, Store.code, row.valid_from)
    )
    return [(sku, store, str(price), *days) for sku, store, price, *days in await session.execute(query)]


async def _in_force(session: AsyncSession) -> dict[tuple[str, str], str]:
    query = select(Product.sku, Store.code, StorePrice.price).select_from(StorePrice)
    rows = await session.execute(query.join(Product).join(Store))
    return {(sku, store): str(price) for sku, store, price in rows}


async def _default(session: AsyncSession, sku: str) -> str:
    return str(await session.scalar(select(Product.base_price).where(Product.sku == sku)))


def _reasons(report: PriceReport) -> list[tuple[int, str]]:
    return [(row.line, "; ".join(map(str, row.problems))) for row in report.bad_rows]


async def test_a_row_without_store_and_dates_is_the_price_of_the_product(session: AsyncSession) -> None:
    report = await _load(session, "MILK,2.50", "RYE,2.00", header="sku,base_price\n")
    assert (report.imported, report.products_updated, report.products_unchanged) == (2, 1, 1)
    assert await _default(session, "MILK") == "2.50"
    assert await _entries(session) == []


async def test_a_row_with_a_store_holds_there_from_today_on(session: AsyncSession) -> None:
    report = await _load(session, "MILK,2.50,station,,")
    assert (report.prices_new, await _default(session, "MILK")) == (1, "2.00")
    assert await _entries(session) == [("MILK", "station", "2.50", await _day(session, 0), None)]
    assert await _in_force(session) == {("MILK", "station"): "2.50"}


async def test_the_price_of_next_week_is_loaded_today_and_holds_next_week(session: AsyncSession) -> None:
    monday, sunday = await _day(session, 7), await _day(session, 13)
    report = await _load(session, f"MILK,1.50,,{monday},{sunday}")
    assert report.prices_new == 1
    assert await _in_force(session) == {}
    for days, found in ((7, "1.50"), (13, "1.50"), (14, None)):
        await apply_price_list(session, now=await database_now(session) + timedelta(days=days))
        assert (await _in_force(session)).get(("MILK", "main")) == found


async def test_the_same_file_again_changes_nothing(session: AsyncSession) -> None:
    rows = ("MILK,2.50,,,", "RYE,1.80,station,,", f"RYE,1.50,,{await _day(session, 3)},")
    await _load(session, *rows)
    history = list(await session.execute(select(BasePrice.product_id, BasePrice.price)))
    again = await _load(session, *rows)
    assert again.written == {}
    assert (again.products_unchanged, again.prices_unchanged) == (1, 2)
    assert list(await session.execute(select(BasePrice.product_id, BasePrice.price))) == history


async def test_a_new_price_replaces_the_one_of_the_same_first_day(session: AsyncSession) -> None:
    monday = await _day(session, 7)
    await _load(session, f"MILK,1.50,station,{monday},")
    report = await _load(session, f"MILK,1.60,station,{monday},{monday}")
    assert (report.prices_new, report.prices_updated) == (0, 1)
    assert await _entries(session) == [("MILK", "station", "1.60", monday, monday)]


async def test_a_price_without_days_leaves_one_for_a_time_in_force(session: AsyncSession) -> None:
    await _load(session, f"MILK,2.50,station,{await _day(session, -9)},")
    await _load(session, f"MILK,1.50,station,{await _day(session, -1)},{await _day(session, 2)}")
    report = await _load(session, "MILK,2.60,station,,")
    assert report.prices_updated == 1
    assert await _in_force(session) == {("MILK", "station"): "1.50"}
    await apply_price_list(session, now=await database_now(session) + timedelta(days=3))
    assert await _in_force(session) == {("MILK", "station"): "2.60"}


async def test_the_price_of_a_product_ends_the_one_for_all_stores_that_has_begun(
    session: AsyncSession,
) -> None:
    begun, planned = await _day(session, -3), await _day(session, 3)
    await _load(session, f"MILK,2.20,,{begun},", f"MILK,2.40,,{planned},", "MILK,2.80,station,,")
    report = await _load(session, "MILK,2.30,,,")
    assert (report.products_updated, report.prices_ended) == (1, 1)
    assert await _in_force(session) == {("MILK", "station"): "2.80"}
    assert [entry[:3] for entry in await _entries(session)] == [
        ("MILK", "station", "2.80"),
        ("MILK", None, "2.40"),
    ]


async def test_rows_without_a_store_belong_to_the_given_one(session: AsyncSession) -> None:
    await _load(session, "MILK,2.50", header="sku,base_price\n", store="station")
    assert await _in_force(session) == {("MILK", "station"): "2.50"}


async def test_rows_that_contradict_each_other_are_bad_and_name_each_other(session: AsyncSession) -> None:
    today = await _day(session, 0)
    report = await _load(
        session,
        "MILK,2.50,station,,",
        "RYE,1.10,,,",
        f"MILK,2.60,station,{today},",
        "RYE,1.20,,,",
        "RYE,1.30,station,,",
        "RYE,1.30,station,,",
    )
    reason = (
        "base_price: differs from line {}, about the same product, store and first day, in the price or the "
        "last day: neither row is imported"
    )
    pairs = ((2, 4), (3, 5), (4, 2), (5, 3))
    assert _reasons(report) == [(line, reason.format(other)) for line, other in pairs]
    assert (report.imported, report.prices_new) == (2, 1), "equal rows are one entry"


async def test_bad_rows_are_named(session: AsyncSession) -> None:
    today = await _day(session, 0)
    yesterday = today - timedelta(days=1)
    report = await _load(
        session,
        "CAKE,2.50,,,",
        "MILK,free,,,",
        "MILK,2.50,harbor,,",
        f"MILK,2.50,,,{today}",
        f"MILK,2.50,station,,{yesterday}",
        f"MILK,2.50,,{today},{yesterday}",
        "MILK,2.50,,9999-12-31,",
        "MILK,2.50,,1.2.2030,",
    )
    assert (report.imported, report.bad, report.written) == (0, 8, {})
    found = dict(_reasons(report))
    assert found[2] == "sku: there is no product 'CAKE'"
    assert found[3] == "base_price: 'free' is not a price"
    assert found[4].startswith("store: there is no store 'harbor'")
    assert found[5].startswith("valid_until: needs valid_from where the row names no store")
    assert found[6] == f"valid_until: is {yesterday}, before the first day {today}"
    assert found[7] == f"valid_until: is {yesterday}, before the first day {today}"
    assert found[8] == "valid_from: '9999-12-31' must be from 1970-01-01 to 2999-12-31"
    assert "--date-format" in found[9]


async def test_columns_are_found_in_any_spelling_and_missing_ones_are_named(session: AsyncSession) -> None:
    await _load(session, "MILK,2.50,station", header="SKU,basePrice,Store code\n")
    assert await _in_force(session) == {("MILK", "station"): "2.50"}
    with pytest.raises(InvalidInput) as refused:
        await _load(session, "MILK,2.50", header="sku,Retail price\n")
    assert refused.value.message.splitlines() == [
        "the file has no column for base_price; it has sku, Retail price",
        "Try: --map 'base_price=Retail price'",
    ]
    likely = await _load(session, "MILK,2.50,2030-01-01", header="sku,base_price,Valid to\n")
    assert likely.unused_columns == ("Valid to",)
    assert [warning.message for warning in likely.warnings] == [
        "may hold valid_until, which has no column: --map 'valid_until=Valid to' reads it"
    ]


async def test_json_prices_are_read_too(session: AsyncSession) -> None:
    content = (
        b'{"sku": "MILK", "base_price": 2.5, "store": "station"}\n{"sku": "RYE", "base_price": "1.75"}\n'
    )
    report = await import_prices(session, [content], FileLayout())
    assert report.imported == 2
    assert await _in_force(session) == {("MILK", "station"): "2.50"}
    assert await session.scalar(select(Product.base_price).where(Product.sku == "RYE")) == Decimal("1.75")

"""A file whose prices differ by store gives each store its own; one price is the product's in all stores."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.clock import database_now
from flexiprice.db.store_price_tables import PriceListEntry, StorePrice
from flexiprice.db.tables import Product, Store
from flexiprice.pricing.price_periods import read_base_prices
from tests.support.import_files import load, reasons

HEADER = "sku,name,category,base_price,quantity,expiry_date,lot,store\n"


@pytest.fixture(autouse=True)
async def stores(session: AsyncSession) -> None:
    await session.execute(insert(Store).values(code="station", time_zone="Europe/Berlin"))
    await session.execute(insert(Store).values(code="harbor", time_zone="UTC"))


def row(sku: str, price: str, store: str, lot: str = "", *, quantity: int = 5) -> str:
    return f"{sku},{sku},Dairy,{price},{quantity},2030-01-01,{lot},{store}\n"


async def default_prices(session: AsyncSession) -> dict[str, str]:
    query = select(Product.sku, Product.base_price).order_by(Product.sku)
    return {sku: str(price) for sku, price in await session.execute(query)}


async def store_prices(session: AsyncSession) -> dict[tuple[str, str], str]:
    query = select(Product.sku, Store.code, StorePrice.price).select_from(StorePrice)
    rows = await session.execute(query.join(Product).join(Store))
    return {(sku, store): str(price) for sku, store, price in rows}


async def an_entry_of(session: AsyncSession, store: str | None, price: str, **days: int | None) -> None:
    """An entry for the product A from so many days from today on, until so many days from today."""
    today = (await database_now(session)).date()
    own = await session.scalar(select(Store.id).where(Store.code == store))
    until = days.get("until")
    values = {
        "product_id": select(Product.id).where(Product.sku == "A").scalar_subquery(),
        "store_id": own,
        "price": price,
        "valid_from": today + timedelta(days=days.get("begins") or 0),
        "valid_until": None if until is None else today + timedelta(days=until),
    }
    await session.execute(insert(PriceListEntry).values(values))
    await apply_price_list(session, now=await database_now(session))


async def test_each_store_gets_the_price_of_its_rows(session: AsyncSession) -> None:
    report = await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.35", "station"))
    assert (report.imported, report.bad, report.store_prices_changed) == (2, 0, 2)
    assert await store_prices(session) == {("A", "main"): "1.10", ("A", "station"): "1.35"}


async def test_a_new_product_costs_elsewhere_what_its_first_row_says(session: AsyncSession) -> None:
    report = await load(session, HEADER + row("A", "1.35", "station") + row("A", "1.10", "main"))
    assert await default_prices(session) == {"A": "1.35"}
    assert [(warning.line, warning.message) for warning in report.warnings] == [
        (
            2,
            (
                "differs by store, and the product is new: 1.35 of this row is its price in all stores that "
                "the file does not name"
            ),
        )
    ]


async def test_a_price_that_a_store_never_had_is_not_in_its_history(session: AsyncSession) -> None:
    await load(session, HEADER + row("MILK", "1.10", "main") + row("MILK", "1.35", "station"))
    product, station = (
        (await session.execute(select(Product.id))).scalar_one(),
        (await session.execute(select(Store.id).where(Store.code == "station"))).scalar_one(),
    )
    since = await database_now(session) - timedelta(days=30)
    periods = await read_base_prices(session, product_id=product, store_id=station, since=since)
    assert [str(period.price) for period in periods] == ["1.35"]


async def test_a_known_product_keeps_its_price_in_other_stores(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "2.00", "main"))
    report = await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.35", "station"))
    assert await default_prices(session) == {"A": "2.00"}
    assert report.warnings == ()
    assert await store_prices(session) == {("A", "main"): "1.10", ("A", "station"): "1.35"}


async def test_the_same_file_again_changes_nothing(session: AsyncSession) -> None:
    content = HEADER + row("A", "1.10", "main") + row("A", "1.35", "station") + row("B", "3.00", "main")
    await load(session, content)
    kept = select(func.count()).select_from(BasePrice)
    before = await session.scalar(kept)
    # As if it had been imported last week.
    await session.execute(update(PriceListEntry).values(valid_from=PriceListEntry.valid_from - 7))
    again = await load(session, content)
    assert again.written == {}
    assert again.products_unchanged == 2
    assert await session.scalar(kept) == before


async def test_a_new_price_of_a_store_replaces_the_one_before(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.35", "station"))
    report = await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.45", "station"))
    assert report.store_prices_changed == 1
    assert await store_prices(session) == {("A", "main"): "1.10", ("A", "station"): "1.45"}
    assert await session.scalar(select(func.count()).select_from(PriceListEntry)) == 2


async def test_one_price_ends_those_of_the_stores_that_the_file_names(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.35", "station"))
    report = await load(session, HEADER + row("A", "1.20", "main") + row("A", "1.20", "station"))
    assert (report.products_updated, report.store_prices_changed) == (1, 2)
    assert await default_prices(session) == {"A": "1.20"}
    assert await store_prices(session) == {}


async def test_one_price_leaves_those_of_other_stores(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "1.10", "main") + row("A", "1.35", "station"))
    await load(session, HEADER + row("A", "1.20", "main"))
    assert await store_prices(session) == {("A", "station"): "1.35"}


async def test_a_planned_price_and_one_with_an_end_stay(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "1.00", "main"))
    await an_entry_of(session, "main", "0.80", begins=-1, until=3)
    await an_entry_of(session, "main", "1.50", begins=5)
    await an_entry_of(session, None, "1.05", begins=-2)
    report = await load(session, HEADER + row("A", "1.20", "main"))
    assert report.store_prices_changed == 1, "the price for all stores, which the file replaces"
    assert await store_prices(session) == {("A", "main"): "0.80"}
    left = await session.scalars(select(PriceListEntry.price).order_by(PriceListEntry.price))
    assert [str(price) for price in left] == ["0.80", "1.50"]


async def test_a_price_for_all_stores_where_the_file_has_no_word_of_it_is_told(session: AsyncSession) -> None:
    await load(session, HEADER + row("A", "1.00", "main") + row("A", "1.00", "station"))
    report = await load(session, HEADER + row("A", "1.20", "main"))
    assert [warning.message for warning in report.warnings] == [
        (
            "the new price of 1 product holds in all stores, also where they are in stock and the file does "
            "not name the store"
        )
    ]
    assert (await load(session, HEADER + row("A", "1.20", "main"))).warnings == ()


async def test_two_prices_in_one_store_are_bad_and_name_each_other(session: AsyncSession) -> None:
    report = await load(
        session,
        HEADER
        + row("A", "1.10", "main", "L1")
        + row("A", "1.20", "station", "L1")
        + row("A", "1.30", "station", "L2")
        + row("A", "1.40", "harbor"),
    )
    same = "for the same product in the same store: it has one base_price there, so neither row is imported"
    assert reasons(report) == [
        (3, f"base_price: is 1.20 here and 1.30 on line 4, {same}"),
        (4, f"base_price: is 1.30 here and 1.20 on line 3, {same}"),
    ]
    assert await store_prices(session) == {("A", "main"): "1.10", ("A", "harbor"): "1.40"}


async def test_bad_rows_give_no_store_a_price(session: AsyncSession) -> None:
    other_category = row("A", "1.35", "station").replace("Dairy", "Bakery")
    report = await load(
        session, HEADER + row("A", "1.10", "main") + other_category + row("B", "1.00", "main")
    )
    assert (report.imported, report.bad) == (1, 2)
    assert await store_prices(session) == {}
    assert await default_prices(session) == {"B": "1.00"}

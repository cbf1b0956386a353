"""Imported stock holds at an instant: earlier events do not move it, later ones do, in any order."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.notation.dates import Timestamps
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.errors import InvalidInput
from tests.support.builders import DAY, NOON, a_product
from tests.support.import_files import load, reasons
from tests.support.stock_events import a_count, a_delivery, an_event, record, stock

EIGHT = NOON - timedelta(hours=4)
Arrival = Callable[[AsyncSession], Awaitable[object]]


async def load_stock(session: AsyncSession, units: int, at: datetime | None) -> ImportReport:
    content = f"sku,quantity,expiry_date\nRYE,{units},{DAY}\n"
    return await load(session, content, FileLayout(as_of=at))


async def arrive_delivery(session: AsyncSession) -> None:
    await record(session, a_delivery("d", 20, at=EIGHT))


async def arrive_export(session: AsyncSession) -> None:
    await load_stock(session, 10, NOON)


async def arrive_earlier_sale(session: AsyncSession) -> None:
    await record(session, an_event("early", units=2, at=NOON - timedelta(hours=1), expiry_date=DAY))


async def arrive_later_sale(session: AsyncSession) -> None:
    await record(session, an_event("late", units=3, at=NOON + timedelta(hours=1), expiry_date=DAY))


@pytest.mark.parametrize("order", list(permutations([arrive_export, arrive_earlier_sale, arrive_later_sale])))
async def test_an_export_holds_at_its_instant_in_any_order_of_arrival(
    session: AsyncSession, order: tuple[Arrival, ...]
) -> None:
    await a_product(session, sku="RYE")
    await arrive_delivery(session)
    for arrive in order:
        await arrive(session)
    assert await stock(session) == {DAY: 7}


async def test_stock_without_an_instant_holds_from_its_receipt(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await load_stock(session, 10, None)
    result = await record(session, an_event("1", at=datetime.now(UTC) - timedelta(hours=1), expiry_date=DAY))
    assert result.already_counted == 1
    assert await stock(session) == {DAY: 10}


async def test_an_older_export_does_not_replace_a_later_count_and_says_so(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await arrive_delivery(session)
    await record(session, a_count("c", 5, at=NOON))
    report = await load_stock(session, 10, NOON - timedelta(hours=1))
    assert await stock(session) == {DAY: 5}
    assert (report.imported, report.batches_unchanged) == (1, 1)
    assert [warning.message for warning in report.warnings] == [
        "1 row has an earlier stock than is known: a later one was stated, and stays"
    ]


async def test_an_export_of_unchanged_stock_states_it_again(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await load_stock(session, 10, EIGHT)
    await load_stock(session, 10, NOON)
    await arrive_earlier_sale(session)
    assert await stock(session) == {DAY: 10}


async def test_more_sold_after_the_export_than_it_states_is_oversold(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await arrive_delivery(session)
    await arrive_later_sale(session)
    await load_stock(session, 1, NOON)
    assert await stock(session) == {DAY: 0}
    await record(session, a_delivery("d2", 5, at=NOON + timedelta(hours=2)))
    assert await stock(session) == {DAY: 3}, "two of the five were sold before"


async def test_a_column_states_the_instant_of_each_row(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    content = f"sku,quantity,expiry_date,as_of\nRYE,10,{DAY},{NOON.isoformat()}\n"
    assert (await load(session, content)).imported == 1
    await arrive_earlier_sale(session)
    await arrive_later_sale(session)
    assert await stock(session) == {DAY: 7}


async def test_an_instant_without_an_offset_is_refused_or_local(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    content = f"sku,quantity,expiry_date,as_of\nRYE,10,{DAY},2026-03-10 12:00\n"
    refused = await load(session, content)
    assert reasons(refused) == [
        (
            2,
            (
                "as_of: '2026-03-10 12:00' has no offset from UTC: write it as 2026-03-10T12:00:00+02:00, or "
                "--timestamps local reads it in the store's time zone"
            ),
        )
    ]
    assert (await load(session, content, FileLayout(timestamps=Timestamps.LOCAL))).imported == 1


async def test_stock_of_the_future_is_refused(session: AsyncSession) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InvalidInput, match="is in the future"):
        await load_stock(session, 10, tomorrow)
    content = f"sku,quantity,expiry_date,as_of\nRYE,10,{DAY},{tomorrow.isoformat()}\n"
    assert "is in the future" in reasons(await load(session, content))[0][1]

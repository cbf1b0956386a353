"""A complete file is the whole stock: batches that it leaves out are sold out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.importer import Imported, import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.stock import note_movement
from flexiprice.catalog.stores import create_store
from flexiprice.db.tables import Batch
from flexiprice.domain.stock_event import THOUSANDTHS
from flexiprice.errors import InvalidInput
from tests.support.import_files import load_rows, reasons, stock

HEADER = "store,sku,lot,quantity,expiry_date\n"
EVERY_STORE = CompleteStock()


@pytest.fixture
async def two_stores(session: AsyncSession) -> None:
    """Ten lots of milk in `main`, one of them expired, and one in `north`."""
    await create_store(session, code="north", time_zone="UTC")
    await load_rows(
        session,
        *(f"M,Milk,Dairy,1.20,0.60,5,2090-01-{day:02},L{day}," for day in range(1, 10)),
        "M,Milk,Dairy,1.20,0.60,5,2020-01-01,old,",
        "M,Milk,Dairy,1.20,0.60,7,2090-01-01,N1,north",
    )


async def send(session: AsyncSession, lots: Iterable[str], complete: CompleteStock = EVERY_STORE) -> Imported:
    rows = "\n".join(f"main,M,{lot},5,2090-01-{lot[1:]:>02}" for lot in lots)
    return await import_catalogue(session, [(HEADER + rows).encode()], complete=complete, most_named=100)


async def in_stock(session: AsyncSession) -> list[str]:
    return [f"{store}/{lot}" for store, _, lot, _, quantity in await stock(session) if quantity]


LOTS = [f"L{day}" for day in range(1, 10)]


@pytest.mark.usefixtures("two_stores")
async def test_batches_that_the_file_leaves_out_are_sold_out_in_the_stores_that_it_names(
    session: AsyncSession,
) -> None:
    imported = await send(session, LOTS[2:])
    assert await in_stock(session) == [*(f"main/{lot}" for lot in LOTS[2:]), "north/N1"]
    report = imported.report
    assert (report.batches_sold_out, report.batches_unchanged) == (3, 7)
    assert report.written == {
        "products_new": 0,
        "products_updated": 0,
        "batches_new": 0,
        "batches_updated": 0,
        "batches_sold_out": 3,
    }
    sold_out = set(await session.scalars(select(Batch.id).where(Batch.quantity == 0)))
    assert set(imported.changed_batches) == sold_out
    assert [warning.message for warning in report.warnings] == [
        "the file does not name the store north: its 1 batch in stock stay"
    ]


@pytest.mark.usefixtures("two_stores")
async def test_second_import_of_the_same_complete_file_writes_nothing(session: AsyncSession) -> None:
    await send(session, LOTS[2:])
    assert (await send(session, LOTS[2:])).report.written == {}


@pytest.mark.usefixtures("two_stores")
async def test_file_that_leaves_out_more_than_thirty_percent_must_be_confirmed(
    session: AsyncSession,
) -> None:
    async with session.begin_nested() as step:
        with pytest.raises(InvalidInput) as refused:
            await send(session, LOTS[3:])
        await step.rollback()
    assert refused.value.message == (
        "the file lacks 3 of the 9 batches in stock, more than 30 %: if it is complete, --yes marks them as "
        "sold out"
    )
    assert len(await in_stock(session)) == 11
    await send(session, LOTS[3:], CompleteStock(is_confirmed=True))
    assert await in_stock(session) == [*(f"main/{lot}" for lot in LOTS[3:]), "north/N1"]


@pytest.mark.usefixtures("two_stores")
async def test_a_named_store_is_the_only_one_whose_stock_is_complete(session: AsyncSession) -> None:
    empty = CompleteStock(store="north", is_confirmed=True)
    assert (await send(session, LOTS[:1], empty)).report.batches_sold_out == 1
    assert await in_stock(session) == ["main/L1", *(f"main/{lot}" for lot in LOTS[1:]), "main/old"]


@pytest.mark.usefixtures("two_stores")
async def test_complete_file_with_a_bad_row_sells_nothing_out(session: AsyncSession) -> None:
    content = f"{HEADER}main,M,L1,many,2090-01-01\nmain,M,L2,5,2090-01-02\n"
    report = (await import_catalogue(session, [content.encode()], complete=EVERY_STORE)).report
    assert ([line for line, _ in reasons(report)], report.batches_sold_out) == ([2], 0)
    assert report.of_rejected_file().written == {}


@pytest.mark.usefixtures("two_stores")
async def test_stock_that_was_stated_after_the_instant_of_the_file_stays(session: AsyncSession) -> None:
    before = FileLayout(as_of=datetime.now(UTC) - timedelta(hours=1))
    content = (HEADER + "main,M,L1,5,2090-01-01").encode()
    imported = await import_catalogue(session, [content], before, complete=CompleteStock(is_confirmed=True))
    assert imported.report.batches_sold_out == 0
    assert len(await in_stock(session)) == 11


@pytest.mark.usefixtures("two_stores")
async def test_a_delivery_after_the_instant_of_the_file_is_in_stock(session: AsyncSession) -> None:
    batch_id = await session.scalar(select(Batch.id).where(Batch.lot == "L2"))
    assert batch_id is not None
    taken_at = await session.scalar(select(func.now()))
    assert taken_at is not None
    later = taken_at + timedelta(seconds=1)
    await note_movement(session, batch_id, 3 * THOUSANDTHS, at=later)
    await send(session, [LOTS[0], *LOTS[2:]])
    assert await session.scalar(select(Batch.quantity).where(Batch.id == batch_id)) == 3

"""A lot names one batch of a product in a store; without a lot, the expiry date does."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.importer import Imported, import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.stores import create_store
from flexiprice.db.tables import Batch
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.recompute import recompute_batches
from tests.support.builders import DAY, NOON, a_product, an_active_policy, ledger, open_price
from tests.support.import_files import load, reasons, stock

TOMORROW = DAY + timedelta(days=1)
NEXT_WEEK = DAY + timedelta(days=7)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
async def kefir(session: AsyncSession) -> AsyncSession:
    """A session in which there is a product KEFIR at 4.00."""
    await a_product(session, sku="KEFIR")
    return session


async def imported(session: AsyncSession, *rows: str, **options: object) -> Imported:
    content = "store,sku,lot,quantity,best before\n" + "\n".join(rows)
    layout = FileLayout(columns=FileLayout().columns | {"expiry_date": "best before"})
    return await import_catalogue(session, [content.encode()], layout, most_named=100, **options)


async def report_of(session: AsyncSession, *rows: str) -> ImportReport:
    return (await imported(session, *rows)).report


async def test_a_corrected_date_changes_the_batch_of_the_lot_and_is_reported(kefir: AsyncSession) -> None:
    await report_of(kefir, f"main,KEFIR,K-7,40,{DAY}")
    before = await kefir.scalar(select(Batch.id))
    report = await report_of(kefir, f"main,KEFIR,K-7,38,{NEXT_WEEK}")
    assert await stock(kefir) == [("main", "KEFIR", "K-7", NEXT_WEEK, 38)]
    assert await kefir.scalar(select(Batch.id)) == before
    assert (report.batches_new, report.batches_updated, report.expiry_dates_corrected) == (0, 1, 1)
    assert report.written["expiry_dates_corrected"] == 1
    (warning,) = report.warnings
    assert (warning.line, warning.column) == (2, "best before")
    assert warning.message == f"the lot 'K-7' had the expiry date {DAY}, which is corrected to {NEXT_WEEK}"


async def test_the_same_date_again_corrects_nothing(kefir: AsyncSession) -> None:
    row = f"main,KEFIR,K-7,40,{DAY}"
    await report_of(kefir, row)
    report = await report_of(kefir, row)
    assert (report.batches_unchanged, report.expiry_dates_corrected, report.warnings) == (1, 0, ())


async def test_a_corrected_date_closes_the_discount_with_a_line_in_the_ledger(kefir: AsyncSession) -> None:
    await an_active_policy(kefir)
    wrong = await imported(kefir, f"main,KEFIR,K-7,40,{DAY}")
    (batch,) = wrong.changed_batches
    await recompute_batches(kefir, now=NOON, batch_ids=wrong.changed_batches)
    assert await open_price(kefir, batch) == Decimal("2.00")
    corrected = await imported(kefir, f"main,KEFIR,K-7,40,{NEXT_WEEK}")
    assert corrected.changed_batches == (batch,)
    await recompute_batches(kefir, now=LATER, batch_ids=corrected.changed_batches)
    opened, closed = await ledger(kefir, batch)
    assert (opened.kind, opened.expiry_date) == (DecisionKind.OPENED, DAY)
    assert (closed.kind, closed.close_reason) == (DecisionKind.CLOSED, CloseReason.NO_DISCOUNT)
    assert (closed.expiry_date, closed.days_to_expiry) == (NEXT_WEEK, 7)


async def test_a_corrected_date_has_a_line_in_the_ledger_even_if_the_price_stays(
    kefir: AsyncSession,
) -> None:
    rule = {"name": "soon", "days_to_expiry": {"max": 3}, "discount": "0.25"}
    await an_active_policy(kefir, {"rules": [rule]})
    wrong = await imported(kefir, f"main,KEFIR,K-7,40,{DAY}")
    await recompute_batches(kefir, now=NOON, batch_ids=wrong.changed_batches)
    corrected = await imported(kefir, f"main,KEFIR,K-7,40,{TOMORROW}")
    await recompute_batches(kefir, now=LATER, batch_ids=corrected.changed_batches)
    opened, changed = await ledger(kefir, *corrected.changed_batches)
    assert (opened.price, changed.price) == (Decimal("3.00"), Decimal("3.00"))
    assert (changed.kind, changed.expiry_date) == (DecisionKind.CHANGED, TOMORROW)


async def test_without_a_lot_another_date_is_another_batch(kefir: AsyncSession) -> None:
    report = await report_of(kefir, f"main,KEFIR,,4,{DAY}", f"main,KEFIR,,6,{NEXT_WEEK}")
    again = await report_of(kefir, f"main,KEFIR,,5,{NEXT_WEEK}")
    assert (report.batches_new, again.batches_updated, again.expiry_dates_corrected) == (2, 1, 0)
    assert await stock(kefir) == [("main", "KEFIR", "", DAY, 4), ("main", "KEFIR", "", NEXT_WEEK, 5)]


async def test_a_lot_is_another_batch_in_another_store_and_of_another_product(kefir: AsyncSession) -> None:
    await create_store(kefir, code="north", time_zone="UTC")
    await a_product(kefir, sku="QUARK")
    report = await report_of(
        kefir,
        f"main,KEFIR,K-7,1,{DAY}",
        f"north,KEFIR,K-7,2,{NEXT_WEEK}",
        f"main,QUARK,K-7,3,{TOMORROW}",
    )
    assert (report.batches_new, report.bad) == (3, 0)


async def test_rows_that_give_one_lot_two_dates_are_all_bad_and_name_each_other(kefir: AsyncSession) -> None:
    report = await report_of(
        kefir,
        f"main,KEFIR,K-7,1,{DAY}",
        f"main,KEFIR,K-8,2,{DAY}",
        f"main,KEFIR,K-7,3,{DAY}",
        f"main,KEFIR,K-7,4,{NEXT_WEEK}",
    )
    sentence = (
        "best before: is {} here and {} on line {}, for the lot 'K-7': a lot has one expiry date, so {}"
    )
    end = "neither row is imported"
    assert reasons(report) == [
        (2, sentence.format(DAY, NEXT_WEEK, 5, end)),
        (4, sentence.format(DAY, NEXT_WEEK, 5, end)),
        (5, sentence.format(NEXT_WEEK, DAY, 2, end)),
    ]
    assert await stock(kefir) == [("main", "KEFIR", "K-8", DAY, 2)]


async def test_rows_that_repeat_a_lot_with_its_date_are_bad_but_the_first(kefir: AsyncSession) -> None:
    report = await report_of(kefir, f"main,KEFIR,K-7,1,{DAY}", f"main,KEFIR,K-7,2,{DAY}")
    reason = "is the same batch as line 2: give each row its own lot, or merge the rows"
    assert reasons(report) == [(3, reason)]


async def test_a_complete_file_with_a_corrected_date_sells_nothing_out(kefir: AsyncSession) -> None:
    await report_of(kefir, f"main,KEFIR,K-7,40,{NEXT_WEEK}")
    complete = CompleteStock(is_confirmed=True)
    found = await imported(kefir, f"main,KEFIR,K-7,40,{TOMORROW}", complete=complete)
    assert (found.report.batches_sold_out, found.report.expiry_dates_corrected) == (0, 1)
    assert await stock(kefir) == [("main", "KEFIR", "K-7", TOMORROW, 40)]


async def test_a_file_of_an_earlier_instant_corrects_no_date_and_the_warning_says_so(
    kefir: AsyncSession,
) -> None:
    await report_of(kefir, f"main,KEFIR,K-7,40,{DAY}", f"main,KEFIR,K-8,3,{DAY}")
    await kefir.execute(update(Batch).values(created_at=NOON))
    earlier = NOON - timedelta(hours=1)
    rows = f"KEFIR,K-7,38,{NEXT_WEEK}\nKEFIR,K-8,2,{DAY}\n"
    report = await load(kefir, "sku,lot,quantity,expiry_date\n" + rows, FileLayout(as_of=earlier))
    (warning,) = report.warnings
    assert warning.message == (
        "2 rows have an earlier stock than is known: a later one was stated, and stays; so do the expiry "
        "dates of 1 lot"
    )
    assert {day for *_, day, _ in await stock(kefir)} == {DAY}

"""Goods without an expiry date or a category are bad rows, or are kept where the user says so."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.complete_stock import CompleteStock
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.known_exports import KNOWN_EXPORTS, ExportName
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import Batch, Product
from flexiprice.domain.decision import CloseReason
from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.errors import InvalidInput
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import DAY, NOON, an_active_policy, ledger
from tests.support.import_files import load, reasons, stock

KEEP = FileLayout(keeps_undated=True)
ALWAYS: Mapping[str, object] = {"rules": [{"name": "always", "discount": "0.5"}]}


async def load_pantry(session: AsyncSession, *rows: str, layout: FileLayout = KEEP) -> ImportReport:
    return await load(
        session, "sku,name,category,base_price,quantity,expiry_date,lot\n" + "\n".join(rows), layout
    )


async def categories(session: AsyncSession) -> dict[str, str]:
    rows = await session.execute(select(Product.sku, Product.category))
    return dict(tuple(row) for row in rows)


async def test_a_row_without_a_date_is_bad_and_names_the_option(session: AsyncSession) -> None:
    rows = ("SALT,Salt,Pantry,0.90,30,,", "HONEY,Honey,Pantry,5.90,3,9999-12-31,")
    report = await load_pantry(session, *rows, layout=FileLayout())
    assert reasons(report) == [
        (2, "expiry_date: is empty, and it is required; --no-expiry keep keeps goods without a date"),
        (3, "expiry_date: '9999-12-31' means no date; --no-expiry keep keeps such goods"),
    ]
    report = await load_pantry(session, *rows, layout=FileLayout(spelling=Spelling.ADDRESS))
    assert "; no_expiry=keep keeps goods without a date" in reasons(report)[0][1]


@pytest.mark.parametrize("cell", ["", "  ", "9999-12-31", "2999-12-31", "2099-12-31", "20991231"])
async def test_goods_without_a_date_are_kept_and_counted(session: AsyncSession, cell: str) -> None:
    report = await load_pantry(session, f"SALT,Salt,Pantry,0.90,30,{cell},", f"RYE,Rye,Bakery,3.49,2,{DAY},")
    assert (report.imported, report.bad, report.without_expiry_date) == (2, 0, 1)
    assert await stock(session) == [("main", "RYE", "", DAY, 2), ("main", "SALT", "", NO_EXPIRY, 30)]


@pytest.mark.parametrize("cell", ["2099-01-01", "2999-01-01", "9999-01-01", "2200-06-30"])
async def test_a_date_that_may_mean_none_is_bad(session: AsyncSession, cell: str) -> None:
    report = await load_pantry(session, f"SALT,Salt,Pantry,0.90,30,{cell},")
    reason = (
        f"expiry_date: '{cell}' may mean no date: leave it empty for goods without one, with --no-expiry keep"
    )
    assert reasons(report) == [(2, reason)]


async def test_a_file_may_lack_the_column_of_dates(session: AsyncSession) -> None:
    content = "sku,name,category,base_price,quantity\nSALT,Salt,Pantry,0.90,30\n"
    report = await load(session, content, KEEP)
    assert (report.imported, report.without_expiry_date) == (1, 1)
    with pytest.raises(InvalidInput, match="no column for expiry_date"):
        await load(session, content)


async def test_a_column_that_looks_like_the_dates_is_not_left_out_without_a_word(
    session: AsyncSession,
) -> None:
    content = "sku,name,category,base_price,quantity,Expires On\nSALT,Salt,Pantry,0.90,30,2030-01-01\n"
    with pytest.raises(InvalidInput, match="--map 'expiry_date=Expires On'"):
        await load(session, content, KEEP)


async def test_goods_without_a_date_are_never_discounted(session: AsyncSession) -> None:
    await an_active_policy(session, dict(ALWAYS))
    await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,", f"RYE,Rye,Bakery,3.49,2,{DAY},")
    summary = await recompute_all_discounts(session, now=NOON, days_threshold=365)
    assert (summary.considered, summary.opened) == (1, 1)


async def test_a_discount_closes_when_its_batch_turns_out_to_have_no_date(session: AsyncSession) -> None:
    await an_active_policy(session, dict(ALWAYS))
    await load_pantry(session, f"SALT,Salt,Pantry,0.90,30,{DAY},S-1")
    await recompute_all_discounts(session, now=NOON)
    batch = (await session.execute(select(Batch))).scalar_one()
    batch.expiry_date = NO_EXPIRY
    await session.flush()
    assert (await recompute_all_discounts(session, now=NOON + timedelta(hours=1))).closed == 1
    *_, closed = await ledger(session, batch.id)
    assert (closed.close_reason, closed.expiry_date) == (CloseReason.NO_DISCOUNT, NO_EXPIRY)


async def test_a_lot_keeps_the_date_that_it_has_if_a_row_has_none(session: AsyncSession) -> None:
    await load_pantry(session, f"SALT,Salt,Pantry,0.90,30,{DAY},S-1")
    report = await load_pantry(session, "SALT,Salt,Pantry,0.90,28,,S-1")
    assert await stock(session) == [("main", "SALT", "S-1", DAY, 28)]
    assert (report.without_expiry_date, report.expiry_dates_corrected) == (0, 0)
    (warning,) = report.warnings
    assert warning.message == f"the lot 'S-1' keeps its expiry date {DAY}, because the row has none"


async def test_a_lot_without_a_date_gets_the_one_of_a_later_file(session: AsyncSession) -> None:
    await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,S-1")
    report = await load_pantry(session, f"SALT,Salt,Pantry,0.90,30,{DAY},S-1")
    assert await stock(session) == [("main", "SALT", "S-1", DAY, 30)]
    message = f"the lot 'S-1' had the expiry date no date, which is corrected to {DAY}"
    assert [warning.message for warning in report.warnings] == [message]


async def test_rows_of_a_product_without_lot_and_date_are_one_batch(session: AsyncSession) -> None:
    report = await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,", "SALT,Salt,Pantry,0.90,5,2999-12-31,")
    assert [line for line, _ in reasons(report)] == [3]


async def test_rows_that_give_a_lot_a_date_and_none_are_bad(session: AsyncSession) -> None:
    report = await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,S", f"SALT,Salt,Pantry,0.90,5,{DAY},S")
    assert f"is no date here and {DAY} on line 3, for the lot 'S'" in reasons(report)[0][1]
    assert await stock(session) == []


async def test_a_complete_file_sells_out_goods_without_a_date(session: AsyncSession) -> None:
    await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,", "HONEY,Honey,Pantry,5.90,3,,")
    content = b"sku,quantity,expiry_date\nHONEY,3,\n"
    with pytest.raises(InvalidInput, match="lacks 1 of the 2 batches in stock"):
        await import_catalogue(session, [content], KEEP, complete=CompleteStock())
    complete = CompleteStock(is_confirmed=True)
    assert (await import_catalogue(session, [content], KEEP, complete=complete)).report.batches_sold_out == 1


async def test_a_row_without_a_category_is_bad_or_takes_the_default_one(session: AsyncSession) -> None:
    rows = ("SALT,Salt,,0.90,30,2030-01-01,", "RYE,Rye,Bakery,3.49,2,2030-01-01,")
    report = await load_pantry(session, *rows)
    reason = "category: is empty, and it is required; --default-category NAME names one for such rows"
    assert reasons(report) == [(2, reason)]
    report = await load_pantry(session, *rows, layout=FileLayout(default_category="Other"))
    assert report.bad == 0
    assert await categories(session) == {"SALT": "Other", "RYE": "Bakery"}
    assert [warning.message for warning in report.warnings] == ["1 row without a category: 'Other' is taken"]


async def test_a_file_may_lack_the_column_of_categories(session: AsyncSession) -> None:
    content = "sku,name,base_price,quantity,expiry_date\nSALT,Salt,0.90,30,2030-01-01\n"
    report = await load(session, content, FileLayout(default_category="Other"))
    assert (report.imported, await categories(session)) == (1, {"SALT": "Other"})
    similar = content.replace("quantity,", "quantity,Catagory,").replace("30,", "30,Pantry,")
    with pytest.raises(InvalidInput, match="category=Catagory"):
        await load(session, similar, FileLayout(default_category="Other"))


async def test_a_known_export_without_categories_describes_products_with_the_default_one(
    session: AsyncSession,
) -> None:
    content = "Product/Internal Reference,Product/Name,Product/Sales Price,Quantity,Expiration Date\n"
    layout = FileLayout(export=KNOWN_EXPORTS[ExportName.ODOO], default_category="Other")
    report = await load(session, content + "SALT,Salt,0.90,30,2030-01-01\n", layout)
    assert reasons(report) == []
    assert await categories(session) == {"SALT": "Other"}


async def test_stock_alone_needs_no_category_whatever_the_default_is(session: AsyncSession) -> None:
    await load_pantry(session, "SALT,Salt,Pantry,0.90,30,,")
    layout = FileLayout(default_category="Other", keeps_undated=True)
    report = await load(session, "sku,quantity\nSALT,7\n", layout)
    assert (report.batches_updated, report.warning_count) == (1, 0)
    assert await categories(session) == {"SALT": "Pantry"}

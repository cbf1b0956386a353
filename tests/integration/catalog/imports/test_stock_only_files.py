"""A file with stock alone sets the quantities of products that exist."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import Batch, Product
from flexiprice.errors import InvalidInput
from tests.support.import_files import load, load_rows, reasons, stock


@pytest.fixture
async def rice(session: AsyncSession) -> None:
    await load_rows(session, "A,Rice,Pantry,2.00,1.00,5,2030-01-01,,")


@pytest.mark.usefixtures("rice")
async def test_stock_file_sets_quantities_leaves_products_alone_and_names_unknown_ones(
    session: AsyncSession,
) -> None:
    described = select(Product.name, Product.category, Product.base_price, Product.unit_cost, text("xmin"))
    before = (await session.execute(described)).all()
    report = await load(session, "SKU;Qty;Expiry date\nA;4;2030-01-01\nA;7;2030-01-02\nB;1;2030-01-01\n", QTY)
    assert (report.imported, report.batches_updated, report.batches_new) == (2, 1, 1)
    assert (report.products_new, report.products_updated, report.products_unchanged) == (0, 0, 0)
    assert reasons(report) == [
        (4, "SKU: there is no product 'B'; a new one needs name, category and base_price")
    ]
    assert [quantity for *_, quantity in await stock(session)] == [4, 7]
    assert (await session.execute(described)).all() == before


QTY = FileLayout(columns=parse_column_map(["quantity=Qty"]))


@pytest.mark.parametrize("header", ["sku,quantity,expiry_date,Price", "sku,quantity,expiry_date,unit_cost"])
async def test_a_column_that_may_describe_products_is_never_passed_over(
    header: str, session: AsyncSession
) -> None:
    content = f"{header}\nA,4,2030-01-01,1.50\n"
    with pytest.raises(InvalidInput, match="no column for name, category, base_price") as refused:
        await load(session, content)
    assert "a file of stock levels only needs none of them" in refused.value.message
    if "Price" in header:
        assert refused.value.message.endswith("Try: --map base_price=Price")


@pytest.mark.usefixtures("rice")
async def test_price_column_is_ignored_where_the_column_map_says_so(session: AsyncSession) -> None:
    layout = FileLayout(columns=parse_column_map(["base_price="]))
    report = await load(session, "sku,quantity,expiry_date,Price\nA,4,2030-01-01,1.50\n", layout)
    assert (report.batches_updated, report.unused_columns) == (1, ("Price",))


async def test_objects_may_describe_products_or_tell_of_stock_line_by_line(session: AsyncSession) -> None:
    report = await load(
        session,
        '{"sku": "A", "name": "Rice", "category": "Pantry", "base_price": 2, "quantity": 5, '
        '"expiry_date": "2030-01-01"}\n'
        '{"sku": "A", "quantity": 3, "expiry_date": "2030-01-02"}\n'
        '{"sku": "B", "quantity": 3, "expiry_date": "2030-01-02"}\n'
        '{"sku": "C", "name": "Rye", "quantity": 3, "expiry_date": "2030-01-02"}\n',
    )
    assert (report.products_new, report.batches_new) == (1, 2)
    assert [line for line, _ in reasons(report)] == [3, 4]
    assert reasons(report)[1][1] == (
        "category: is empty, and it is required; --default-category NAME names one for such rows; "
        "base_price: is empty, and it is required"
    )


async def test_rows_of_stock_do_not_contradict_those_that_describe_the_product(session: AsyncSession) -> None:
    described = '"name": "Rice", "category": "Pantry", "unit_cost": 1, "base_price": '
    report = await load(
        session,
        '{"sku": "A", "quantity": 3, "expiry_date": "2030-01-02"}\n'
        f'{{"sku": "A", {described} 2, "quantity": 5, "expiry_date": "2030-01-01"}}\n'
        '{"sku": "B", "quantity": 3, "expiry_date": "2030-01-02"}\n'
        f'{{"sku": "B", {described} 2, "quantity": 5, "expiry_date": "2030-01-01"}}\n'
        f'{{"sku": "B", {described} 3, "quantity": 5, "expiry_date": "2030-01-03"}}\n',
    )
    assert report.products_new == 1
    assert [line for line, _ in reasons(report)] == [3, 4, 5]
    assert "there is no product 'B'" in reasons(report)[0][1]
    assert "2.00 here and 3.00 on line 5" in reasons(report)[1][1]


@pytest.mark.usefixtures("rice")
async def test_the_batches_that_were_written_are_named_as_many_as_are_asked_for(
    session: AsyncSession,
) -> None:
    content = "sku,quantity,expiry_date\nA,5,2030-01-01\nA,7,2030-01-02\nA,8,2030-01-03\n"
    imported = await import_catalogue(session, [content.encode()], most_named=10)
    written = set(await session.scalars(select(Batch.id).where(Batch.quantity > 5)))
    assert set(imported.changed_batches) == written
    again = await import_catalogue(session, [content.replace(",8,", ",9,").encode()], most_named=10)
    assert len(again.changed_batches) == 1
    more = await import_catalogue(session, [content.replace(",5,", ",6,").encode()], most_named=1)
    assert (more.report.batches_updated, len(more.changed_batches)) == (2, 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"sku,quantity,expiry_date,lot\nA,4,2030-01-01,Br\xe9\n", "encoding=cp1252 reads it as 'Bré'"),
        (b"sku,quantity,expiry_date\nA,4,24.12.2030\n", "date_format=%d.%m.%Y reads it"),
        (b"sku,quantity,expiry_date\nA,4,2030-12-24 08:00\n", "timestamps=local takes the date"),
        (b"sku,quantity,expiry_date\nA,4,241230\n", "with date_format=%y%m%d"),
        (
            b'sku,quantity,expiry_date,name,category,base_price\nA,4,2030-01-01,a,b,"1,50"\n',
            "decimal_comma=true reads it as 1.50",
        ),
    ],
)
async def test_options_are_told_as_they_are_written_in_an_address(
    content: bytes, told: str, session: AsyncSession
) -> None:
    report = await load(session, content, FileLayout(spelling=Spelling.ADDRESS))
    ((_, reason),) = reasons(report)
    assert told in reason
    assert "--" not in reason


async def test_options_for_the_whole_file_are_told_as_they_are_written_in_an_address(
    session: AsyncSession,
) -> None:
    layout = FileLayout(spelling=Spelling.ADDRESS)
    with pytest.raises(InvalidInput, match="give encoding=utf-16,"):
        await load(session, "sku".encode("utf-16"), layout)
    with pytest.raises(InvalidInput, match="Try: map=sku=Product ID&map=quantity=Qty"):
        await load(session, "Product ID,Qty,expiry_date\n", layout)
    await load_rows(session, "A,Rice,Pantry,2.00,1.00,5,2030-01-01,,")
    report = await load(session, "sku,quantity,expiry_date,shop\nA,1,2030-01-01,x\n", layout)
    assert report.warnings[0].message.endswith("map=store=shop reads it")

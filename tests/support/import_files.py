"""Imports a file, and reads the stock that it left."""

from collections.abc import Iterable, Iterator
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.files.lines import Line, decode_text, split_lines
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.db.tables import Batch, Product, Store

HEADER = "sku,name,category,base_price,unit_cost,quantity,expiry_date,lot,store\n"


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 64):
        yield content[start : start + 64]


async def load(session: AsyncSession, content: bytes | str, layout: FileLayout | None = None) -> ImportReport:
    raw = content.encode() if isinstance(content, str) else content
    return (await import_catalogue(session, pieces(raw), layout)).report


async def load_rows(session: AsyncSession, *rows: str) -> ImportReport:
    return await load(session, HEADER + "\n".join(rows))


def reasons(report: ImportReport) -> list[tuple[int, str]]:
    return [(row.line, "; ".join(map(str, row.problems))) for row in report.bad_rows]


async def stock(session: AsyncSession) -> list[tuple[str, str, str, date, int]]:
    query = (
        select(Store.code, Product.sku, Batch.lot, Batch.expiry_date, Batch.quantity)
        .join(Product, Product.id == Batch.product_id)
        .join(Store, Store.id == Batch.store_id)
        .order_by(Store.code, Product.sku, Batch.lot, Batch.expiry_date)
    )
    return [tuple(row) for row in await session.execute(query)]


def lines_of(chunks: Iterable[bytes], *, encoding: str = "utf-8") -> Iterator[Line]:
    """The lines of a text file."""
    return split_lines(decode_text(chunks, encoding=encoding))

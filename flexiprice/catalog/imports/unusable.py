"""Staged rows that cannot be used beside the others, or without a product that is there."""

from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.cells import shown
from flexiprice.catalog.imports.rows import BadRow, CellProblem


async def take_out_repeated(session: AsyncSession) -> AsyncIterator[BadRow]:
    """Takes out all rows of a batch but the first, and tells which.

    To add their quantities up, or to believe the last one, would be a guess at what they mean.
    """
    repeated = await session.stream(_TAKE_OUT_REPEATED)
    async for line, first_line in repeated:
        reason = f"is the same batch as line {first_line}: give each a lot of its own, or make them one row"
        yield BadRow(line, (CellProblem(None, reason),))


async def take_out_unknown(session: AsyncSession, sku_column: str | None) -> AsyncIterator[BadRow]:
    """Takes out all rows of stock alone whose product does not exist, and tells which.

    Args:
        session: in which the products of the other rows are written already.
        sku_column: what the file calls the column of the SKU; None where no row could be read.
    """
    unknown = await session.stream(_TAKE_OUT_UNKNOWN)
    async for line, sku in unknown:
        reason = f"there is no product {shown(sku)}; a new one needs name, category and base_price"
        yield BadRow(line, (CellProblem(sku_column, reason),))


_TAKE_OUT_REPEATED = text(
    """
    WITH numbered AS (
        SELECT line, first_value(line) OVER (
            PARTITION BY store_id, sku, lot, expiry_date ORDER BY line
        ) AS first_line
        FROM pg_temp.import_rows
    )
    DELETE FROM pg_temp.import_rows AS repeated
    USING numbered
    WHERE repeated.line = numbered.line AND numbered.line <> numbered.first_line
    RETURNING repeated.line, numbered.first_line
    """
)

_TAKE_OUT_UNKNOWN = text(
    """
    DELETE FROM pg_temp.import_rows AS staged
    WHERE name IS NULL AND NOT EXISTS (SELECT FROM products WHERE products.sku = staged.sku)
    RETURNING line, sku
    """
)

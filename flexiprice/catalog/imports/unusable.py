"""Removes staged rows that repeat a batch or whose product does not exist."""

from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import BadRow, CellProblem


async def remove_repeated(session: AsyncSession) -> AsyncIterator[BadRow]:
    """Removes all rows of a batch but the first, and yields them.

    Adding their quantities, or taking the last one, would be a guess.
    """
    repeated = await session.stream(_REMOVE_REPEATED)
    async for line, first_line in repeated:
        reason = f"is the same batch as line {first_line}: give each row its own lot, or merge the rows"
        yield BadRow(line, (CellProblem(None, reason),))


async def remove_unknown(session: AsyncSession, sku_column: str | None) -> AsyncIterator[BadRow]:
    """Removes rows of stock levels only whose product does not exist, and yields them.

    Args:
        session: in which the products of the other rows have been written.
        sku_column: the file's column of the SKU; None if no row could be read.
    """
    unknown = await session.stream(_REMOVE_UNKNOWN)
    async for line, sku in unknown:
        reason = f"there is no product {shown(sku)}; a new one needs name, category and base_price"
        yield BadRow(line, (CellProblem(sku_column, reason),))


_REMOVE_REPEATED = text(
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

_REMOVE_UNKNOWN = text(
    """
    DELETE FROM pg_temp.import_rows AS staged
    WHERE name IS NULL AND NOT EXISTS (SELECT FROM products WHERE products.sku = staged.sku)
    RETURNING line, sku
    """
)

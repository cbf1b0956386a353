"""Finds lots whose expiry date the staged rows correct."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.imports.stated_stock import BATCH_OF_ROW


async def collect_corrected(session: AsyncSession) -> None:
    """Collects the staged rows of lots with another expiry date, before their batches are updated."""
    await session.execute(_COLLECT)


async def find_corrected(
    session: AsyncSession, columns: Mapping[ImportField, str]
) -> AsyncIterator[DataWarning]:
    """Yields a warning for each row that was collected; `columns` are the file's columns by field."""
    rows = await session.stream(_FIND)
    async for line, lot, old, new in rows:
        message = f"the lot {shown(lot)} had the expiry date {old}, which is corrected to {new}"
        yield DataWarning(line, columns.get(ImportField.EXPIRY_DATE), message)


_COLLECT = text(
    f"""
    CREATE TEMPORARY TABLE import_corrected ON COMMIT DROP AS
    SELECT staged.line, staged.lot, batches.expiry_date AS old, staged.expiry_date AS new
    FROM pg_temp.import_rows AS staged
    JOIN products USING (sku)
    JOIN batches ON {BATCH_OF_ROW}
    WHERE staged.lot <> '' AND batches.expiry_date <> staged.expiry_date
    ORDER BY staged.line
    """  # noqa: S608 -- a constant
)

# A DELETE: a streamed SELECT keeps its tables in use until the transaction ends.
_FIND = text("DELETE FROM pg_temp.import_corrected RETURNING line, lot, old, new")

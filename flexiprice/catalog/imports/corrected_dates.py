"""Finds lots whose expiry date the staged rows correct, and rows that have none."""

from collections.abc import AsyncIterator, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.imports.stated_stock import BATCH_OF_ROW
from flexiprice.domain.expiry import NO_EXPIRY, expiry_words


async def collect_corrected(session: AsyncSession) -> None:
    """Collects the staged rows of lots with another expiry date, before their batches are updated."""
    await session.execute(_COLLECT)


async def find_corrected(
    session: AsyncSession, columns: Mapping[ImportField, str]
) -> AsyncIterator[DataWarning]:
    """Yields a warning for each row that was collected; `columns` are the file's columns by field."""
    rows = await session.stream(_FIND)
    async for line, lot, old, new in rows:
        message = f"the lot {shown(lot)} had the expiry date {expiry_words(old)}, which is corrected to {new}"
        yield DataWarning(line, columns.get(ImportField.EXPIRY_DATE), message)


async def keep_known_dates(
    session: AsyncSession, columns: Mapping[ImportField, str]
) -> AsyncIterator[DataWarning]:
    """Gives staged rows without an expiry date the one that their lot has; yields a warning for each."""
    rows = await session.stream(_KEEP_KNOWN)
    async for line, lot, day in rows:
        message = f"the lot {shown(lot)} keeps its expiry date {day}, because the row has none"
        yield DataWarning(line, columns.get(ImportField.EXPIRY_DATE), message)


async def count_undated(session: AsyncSession) -> int:
    """Returns the number of staged rows without an expiry date."""
    return int((await session.execute(_COUNT_UNDATED)).scalar_one())


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

# Whatever is not stated is no correction.
_KEEP_KNOWN = text(
    f"""
    UPDATE pg_temp.import_rows AS staged
    SET expiry_date = batches.expiry_date
    FROM products, batches
    WHERE {BATCH_OF_ROW} AND staged.lot <> '' AND staged.expiry_date = '{NO_EXPIRY}'
        AND batches.expiry_date <> '{NO_EXPIRY}'
    RETURNING staged.line, staged.lot, staged.expiry_date
    """  # noqa: S608 -- constants
)

_COUNT_UNDATED = text(
    f"SELECT count(*) FROM pg_temp.import_rows WHERE expiry_date = '{NO_EXPIRY}'"  # noqa: S608 -- a constant
)

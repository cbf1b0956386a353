"""Reads the rows of a file chunk by chunk, and hands the good ones on to be staged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_matcher import ColumnMatcher
from flexiprice.catalog.imports.fields import ColumnMap
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.catalog.imports.rows import ImportStore, unknown_store
from flexiprice.catalog.imports.tally import ImportTally
from flexiprice.db.tables import Store
from flexiprice.errors import InvalidInput

_ROWS_PER_STATEMENT: Final = 2000
_SKIPPED_ROWS_SHOWN: Final = 5
RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


class RecordReader(Protocol[RowT_co]):
    """Reads records into rows."""

    def read(self, record: Record, columns: ColumnMap) -> RowT_co | BadRow:
        """Parses a record; returns the row, or its problems."""
        ...


async def stage_file(
    records: Iterable[Record],
    matcher: ColumnMatcher,
    reader: RecordReader[RowT],
    tally: ImportTally,
    stage: Callable[[Sequence[RowT]], Awaitable[None]],
) -> None:
    """Reads records, counts their rows, and stages the good ones in bounded chunks.

    Args:
        records: the records of a file.
        matcher: finds the columns of a record.
        reader: reads a record.
        tally: counts the rows and receives the bad ones.
        stage: stages a chunk of rows.
    """
    rows = _rows(records, matcher, reader)
    # Parse in a thread, so that a server's event loop can serve other requests.
    while chunk := await asyncio.to_thread(list, islice(rows, _ROWS_PER_STATEMENT)):
        good: list[RowT] = []
        for row in chunk:
            if isinstance(row, BadRow):
                tally.reject(row)
            else:
                good.append(row)
        tally.staged += len(good)
        await stage(good)


async def read_stores(session: AsyncSession, default: str | None) -> dict[str, ImportStore]:
    """Returns the stores by code, locked so that none is deleted before its rows are written.

    Raises:
        InvalidInput: the default store does not exist.
    """
    query = select(Store.code, Store.id, Store.time_zone).with_for_update(read=True, key_share=True)
    rows = await session.execute(query)
    stores = {code: ImportStore(store_id, ZoneInfo(zone)) for code, store_id, zone in rows}
    if default is not None and default not in stores:
        raise InvalidInput(unknown_store(default, stores), field="store")
    return stores


def skipped_rows(rows: Sequence[tuple[int, str]]) -> DataWarning:
    """Returns the warning about rows above the header."""
    shown_rows = ", ".join(f"line {line} {shown(text)}" for line, text in rows[:_SKIPPED_ROWS_SHOWN])
    more = f" and {len(rows) - _SKIPPED_ROWS_SHOWN} more" if len(rows) > _SKIPPED_ROWS_SHOWN else ""
    return DataWarning(None, None, f"rows above the header were skipped: {shown_rows}{more}")


def _rows(
    records: Iterable[Record], matcher: ColumnMatcher, reader: RecordReader[RowT]
) -> Iterator[RowT | BadRow]:
    for record in records:
        yield reader.read(record, matcher.columns_of(record))

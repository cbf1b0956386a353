"""Reads a file of events and records it chunk by chunk, each in a transaction of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.columns import plain_name
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.files.sources import SourceOptions, open_source
from flexiprice.catalog.imports.problems import BadRow
from flexiprice.catalog.imports.rows import ImportStore, unknown_store
from flexiprice.db.clock import database_now
from flexiprice.db.tables import Store
from flexiprice.errors import InvalidInput
from flexiprice.events.columns import EventColumnMatcher, EventColumns
from flexiprice.events.event_row import EventDefaults, EventRow
from flexiprice.events.recording import ROWS_PER_CHUNK
from flexiprice.events.report import ChunkResult, EventReport, EventTally
from flexiprice.events.rows import EventReader

RecordChunk = Callable[[list[EventRow]], Awaitable[ChunkResult]]
"""Records a chunk in a transaction of its own, or of its caller."""


async def event_reader(session: AsyncSession, defaults: EventDefaults, *, retention_days: int) -> EventReader:
    """Returns a reader for the stores that exist and the instants that are accepted now.

    Raises:
        InvalidInput: the store of events without one does not exist.
    """
    rows = await session.execute(select(Store.code, Store.id, Store.time_zone))
    stores = {code: ImportStore(store_id, ZoneInfo(zone)) for code, store_id, zone in rows}
    if defaults.store not in stores:
        raise InvalidInput(unknown_store(defaults.store, stores), field="store")
    now = await database_now(session)
    return EventReader(defaults, stores=stores, received_at=now, retention_days=retention_days)


async def read_file(
    chunks: Iterable[bytes],
    reader: EventReader,
    record_chunk: RecordChunk,
    *,
    options: SourceOptions,
    columns: EventColumns,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> tuple[EventReport, tuple[int, ...]]:
    """Reads a file and records its events; bad ones are left out and reported.

    Interrupted, it may be repeated: what was recorded is then ignored.

    Args:
        chunks: the file's bytes, in chunks of any size.
        reader: reads its records.
        record_chunk: records a chunk.
        options: how the file is written.
        columns: the column of a field, where it was given.
        on_bad_row: receives every event that was refused or set aside.

    Returns:
        The report, and the ids of the batches whose quantity changed.

    Raises:
        InvalidInput: the file as a whole cannot be used, or its header lacks a column.
    """
    with ExitStack() as stack:
        # In a thread, because a workbook takes seconds to open.
        file = await asyncio.to_thread(stack.enter_context, open_source(chunks, options))
        matcher = EventColumnMatcher(columns, header=file.header, known=reader.known_fields)
        return await read_records(file.records, matcher, reader, record_chunk, on_bad_row=on_bad_row)


async def read_records(
    records: Iterable[Record],
    matcher: EventColumnMatcher,
    reader: EventReader,
    record_chunk: RecordChunk,
    *,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> tuple[EventReport, tuple[int, ...]]:
    """Like `read_file`, from records."""
    started, tally = time.perf_counter(), EventTally()
    rows = _rows(records, matcher, reader)
    # In a thread, so that a server's event loop can serve other requests.
    while chunk := await asyncio.to_thread(list, islice(rows, ROWS_PER_CHUNK)):
        refused = [row for row in chunk if isinstance(row, BadRow)]
        good = [row for row in chunk if not isinstance(row, BadRow)]
        result = await record_chunk(good) if good else ChunkResult()
        tally.refuse(refused)
        tally.add(result)
        if on_bad_row is not None:
            for row in sorted([*refused, *result.bad, *result.set_aside], key=lambda bad: bad.line):
                on_bad_row(row)
    report = tally.report(
        columns={field.value: plain_name(column) for field, column in matcher.seen.items()},
        unused_columns=tuple(map(plain_name, matcher.unused)),
        duration_seconds=time.perf_counter() - started,
    )
    return report, tally.moved_batches


def _rows(
    records: Iterable[Record], matcher: EventColumnMatcher, reader: EventReader
) -> Iterator[EventRow | BadRow]:
    for record in records:
        yield reader.read(record, matcher.columns_of(record))

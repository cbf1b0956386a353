"""Events recorded in a second, beside the barest way to insert the same rows.

`python -m tests.bench.events [--events 50000] [--known 0]` makes a shop in a database of its own, and records
sales from NDJSON in chunks, as the endpoint does: half name a lot, half have only a price. The floor inserts
the same identities, events and movements by three statements a chunk.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final

from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.files.sources import SourceOptions
from flexiprice.db.engine import create_engine
from flexiprice.db.migrate import upgrade
from flexiprice.db.work import Work
from flexiprice.events.event_row import EventDefaults, EventRow
from flexiprice.events.reading import event_reader, read_file
from flexiprice.events.recording import ROWS_PER_CHUNK, record_events
from flexiprice.events.report import ChunkResult, EventReport
from flexiprice.settings import load_settings
from tests.support import servers

MAX_RATIO: Final = 50
"""Reading, parsing and allocating an event may take so many times as long as bare inserts of its rows."""
_PRODUCTS: Final = 2000
_BATCHES_PER_PRODUCT: Final = 3
_CHUNK: Final = 1 << 16

_SHOP: Final = (
    f"""
    INSERT INTO products (sku, name, category, category_key, base_price)
    SELECT 'SKU-' || n, 'Product ' || n, 'Dairy', 'dairy', 4.00 FROM generate_series(1, {_PRODUCTS}) AS n
    """,
    f"""
    INSERT INTO batches (store_id, product_id, lot, expiry_date, quantity, created_at)
    SELECT 1, id, 'L' || n, current_date + n::int, 1000000, now() - interval '60 days'
    FROM products, generate_series(1, {_BATCHES_PER_PRODUCT}) AS n
    """,
    # Identities of an earlier time, so that the index has the depth of an old installation.
    """
    INSERT INTO event_identities (store_id, source, line_id, occurred_at, digest)
    SELECT 1, 'till-old', n::text, now() - interval '300 days', decode(md5(n::text), 'hex')
    FROM generate_series(1, CAST(:known AS integer)) AS n
    """,
    "ANALYZE",
)
_FLOOR: Final = (
    """
    INSERT INTO event_identities (store_id, source, line_id, occurred_at, digest)
    SELECT 1, 'floor', n::text, now(), decode(md5(n::text), 'hex')
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
    """
    INSERT INTO stock_events (id, occurred_at, quantity, store_id, product_id, kind, source, line_id)
    SELECT n + 1000000000, now(), 1000, 1, 1, 'sale', 'floor', n::text
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
    """
    INSERT INTO stock_movements (batch_id, occurred_at, event_id, quantity, ground)
    SELECT n % 6000 + 1, now(), n + 1000000000, -1000, 'scanned'
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
)


def sales(count: int, start: datetime) -> Iterator[bytes]:
    """Sales from an instant on, one a second, as NDJSON."""
    lines: list[str] = []
    for number in range(count):
        sale: dict[str, object] = {
            "kind": "sale",
            "source": f"till-{number % 8}",
            "line_id": f"{number // 8}",
            "occurred_at": (start + timedelta(seconds=number)).isoformat(),
            "sku": f"SKU-{number * 7919 % _PRODUCTS + 1}",
            "quantity": 1 + number % 3,
        }
        sale |= {"lot": f"L{number % _BATCHES_PER_PRODUCT + 1}"} if number % 2 else {"unit_price": "4.00"}
        lines.append(json.dumps(sale) + "\n")
    data = "".join(lines).encode()
    return (data[place : place + _CHUNK] for place in range(0, len(data), _CHUNK))


async def record(engine: AsyncEngine, count: int, start: datetime) -> tuple[EventReport, float]:
    """Records sales in chunks; returns the report and the seconds, with reading and parsing."""
    async with AsyncSession(engine) as session:
        defaults = EventDefaults(store="main", currency="EUR")
        reader = await event_reader(session, defaults, retention_days=730)

    async def record_chunk(rows: list[EventRow]) -> ChunkResult:
        async with AsyncSession(engine) as session, session.begin():
            return await record_events(session, rows)

    chunks, started = sales(count, start), perf_counter()
    report, _ = await read_file(
        chunks, reader, record_chunk, options=SourceOptions(file_format=FileFormat.NDJSON), columns={}
    )
    return report, perf_counter() - started


async def insert_barely(engine: AsyncEngine, count: int) -> float:
    """Inserts rows of the same tables in chunks; returns the seconds."""
    started = perf_counter()
    for first in range(1, count + 1, ROWS_PER_CHUNK):
        bounds = {"first": first, "last": min(first + ROWS_PER_CHUNK, count + 1) - 1}
        async with engine.begin() as connection:
            for statement in _FLOOR:
                await connection.execute(text(statement), bounds)
    return perf_counter() - started


async def size_of_identity(engine: AsyncEngine) -> float:
    """Returns the bytes of an identity in table and indexes."""
    query = "SELECT pg_total_relation_size('event_identities')::float / count(*) FROM event_identities"
    async with engine.connect() as connection:
        return float((await connection.execute(text(query))).scalar_one())


async def measure(database_url: str, *, events: int, known: int) -> bool:
    """Measures on an empty database, and prints the result; returns whether it is within the limit."""
    await asyncio.to_thread(upgrade, database_url)
    settings = load_settings(env_files=(), database_url=database_url)
    engine = create_engine(settings, application_name="flexiprice-bench", work=Work.RECOMPUTE)
    try:
        async with engine.begin() as connection:
            for statement in _SHOP:
                await connection.execute(text(statement), {"known": known} if ":known" in statement else {})
        start = datetime.now(UTC) - timedelta(seconds=events)
        report, seconds = await record(engine, events, start)
        again, repeated = await record(engine, events, start)
        floor = await insert_barely(engine, events)
        size = await size_of_identity(engine)
    finally:
        await engine.dispose()
    print_line = Console().print
    print_line(f"{known:,} identities were known before")
    print_line(f"{report.recorded:,} events recorded: {report.recorded / seconds:,.0f} a second")
    print_line(f"{again.ignored:,} sent again: {events / repeated:,.0f} a second")
    print_line(f"floor, the same rows by bare statements: {events / floor:,.0f} a second")
    print_line(f"ratio to the floor: {seconds / floor:.1f}, at most {MAX_RATIO}")
    print_line(f"an identity takes {size:.0f} bytes with its index")
    return seconds / floor <= MAX_RATIO


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.events")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--known", type=int, default=0, help="identities that are recorded before")
    given = parser.parse_args()
    with servers.running_servers(os.environ) as urls:
        name = servers.unique("events")
        with servers.database(urls.database_url, name) as url:
            is_within = asyncio.run(measure(url, events=given.events, known=given.known))
    if not is_within:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

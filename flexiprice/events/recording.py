"""Records a chunk of events in one transaction: identities, stock, and the events themselves."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.problems import BadRow, CellProblem
from flexiprice.catalog.stock import StockLevel, lock_levels, movements_after, write_levels
from flexiprice.db.locks import Lock, acquire_shared
from flexiprice.db.partitions import ensure_event_partitions
from flexiprice.domain.quantity import fraction_refusal, from_thousandths
from flexiprice.domain.stock_event import EventKind
from flexiprice.events.event_row import EventIdentityKey, EventRow, of_product
from flexiprice.events.identities import KnownEvent, claim, find_known, keep_set_aside
from flexiprice.events.report import ChunkResult
from flexiprice.events.shelf import PriceSteps, Shelf
from flexiprice.events.statements import (
    create_batches,
    find_price_steps,
    find_products,
    insert_events,
    insert_movements,
)

ROWS_PER_CHUNK: Final = 2000
_NEVER: Final = date(9999, 12, 31)


async def record_events(session: AsyncSession, rows: Sequence[EventRow]) -> ChunkResult:
    """Records events and moves the stock of their batches; bad events are left out and reported.

    An event that is recorded already with the same content is ignored; one with other content is set aside.
    Both are told by their identity: store, source and the source's id of the line.

    Args:
        session: in a transaction that has locked no batches; the caller commits it.
        rows: at most about `ROWS_PER_CHUNK`.
    """
    result = ChunkResult()
    rows = await _with_products(session, rows, result)
    # The known ones first: they need no locks.
    unknown = await _without_known(session, rows, result)
    firsts: dict[EventIdentityKey, EventRow] = {}
    repeats: list[EventRow] = []
    for row in unknown:
        if row.key in firsts:
            repeats.append(row)
        else:
            firsts[row.key] = row
    if firsts:
        raced = await _record_new(session, list(firsts.values()), result)
        left = await _without_known(session, [*raced, *repeats], result)
        result.bad += [_repeats_bad(row, firsts[row.key].line) for row in left]
    return result


async def _with_products(
    session: AsyncSession, rows: Sequence[EventRow], result: ChunkResult
) -> list[EventRow]:
    by_sku, by_gtin, units = await find_products(session, rows)
    found: list[EventRow] = []
    for row in rows:
        product_id = by_sku.get(row.sku or "") if row.sku is not None else by_gtin.get(row.gtin or "")
        if product_id is None:
            known = f"SKU {shown(row.sku)}" if row.sku is not None else f"GTIN {shown(row.gtin or '')}"
            result.bad.append(
                _bad(row, f"there is no product with the {known}: import it, then send this again")
            )
        elif row.sku is not None and row.gtin is not None and by_gtin.get(row.gtin) not in {None, product_id}:
            result.bad.append(_bad(row, f"SKU {shown(row.sku)} and GTIN {shown(row.gtin)} are two products"))
        elif row.quantity % units[product_id].step:
            result.bad.append(_bad(row, f"quantity: {fraction_refusal(from_thousandths(row.quantity))}"))
        else:
            found.append(of_product(row, product_id))
    return found


async def _without_known(
    session: AsyncSession, rows: Sequence[EventRow], result: ChunkResult
) -> list[EventRow]:
    """Ignores or sets aside the events whose identity is recorded, and returns the others."""
    if not rows:
        return []
    known = await find_known(session, {row.key for row in rows})
    differing: list[tuple[EventRow, KnownEvent]] = []
    unknown: list[EventRow] = []
    for row in rows:
        first = known.get(row.key)
        if first is None:
            unknown.append(row)
        elif first.digest == row.digest:
            result.ignored += 1
        else:
            differing.append((row, first))
            result.set_aside.append(_bad(row, _differs(row, first)))
    await keep_set_aside(session, differing)
    return unknown


async def _record_new(session: AsyncSession, rows: Sequence[EventRow], result: ChunkResult) -> list[EventRow]:
    """Records events of unknown identities; returns those that another transaction recorded meanwhile."""
    await ensure_event_partitions(session, {row.occurred_at for row in rows})
    # Not while an import states stock: it writes batches in another order.
    await acquire_shared(session, Lock.STOCK)
    await create_batches(session, [row for row in rows if _makes_batch(row)])
    shelf = Shelf(await _lock(session, rows))
    sound: list[tuple[EventRow, int | None]] = []
    for row in rows:
        batch_id = shelf.named_batch(row)
        if isinstance(batch_id, BadRow):
            result.bad.append(batch_id)
        else:
            sound.append((row, batch_id))
    ids = await claim(session, [row for row, _ in sound])
    new = [(row, batch_id) for row, batch_id in sound if row.key in ids]
    new.sort(key=lambda event: (event[0].occurred_at, event[0].line))
    await _apply(session, shelf, new)
    await insert_events(session, [(ids[row.key], row, batch_id) for row, batch_id in new])
    await insert_movements(session, [(ids[moved.row.key], moved) for moved in shelf.movements])
    levels = sorted(shelf.touched.values(), key=attrgetter("batch_id"))
    result.moved_batches = await write_levels(session, levels)
    result.recorded = len(new)
    result.already_counted = shelf.already_counted
    result.beyond_stock = shelf.beyond_stock
    return [row for row, _ in sound if row.key not in ids]


async def _apply(session: AsyncSession, shelf: Shelf, new: Sequence[tuple[EventRow, int | None]]) -> None:
    # The last count of a batch, which needs what was recorded of later movements.
    counted = {batch_id: row for row, batch_id in new if row.kind is EventKind.COUNT and batch_id is not None}
    instants = {batch_id: row.occurred_at for batch_id, row in counted.items()}
    since = await movements_after(session, instants)
    prices = await _prices(session, shelf, new)
    for row, batch_id in new:
        if row.kind is not EventKind.COUNT:
            shelf.apply(row, batch_id, prices)
        elif batch_id is not None:
            moved_since = since.get(batch_id, 0) if counted[batch_id] is row else 0
            shelf.count(row, batch_id, moved_since)


async def _prices(
    session: AsyncSession, shelf: Shelf, new: Sequence[tuple[EventRow, int | None]]
) -> PriceSteps:
    asked = {
        level.batch_id
        for row, batch_id in new
        if batch_id is None and row.kind is EventKind.SALE and row.unit_price is not None
        for level in shelf.candidates_of(row)
    }
    steps: dict[int, tuple[list[datetime], list[Decimal | None]]] = {}
    for batch_id, decided_at, price in await find_price_steps(session, sorted(asked)):
        instants, prices = steps.setdefault(batch_id, ([], []))
        instants.append(decided_at)
        prices.append(price)
    return steps


async def _lock(session: AsyncSession, rows: Sequence[EventRow]) -> Sequence[StockLevel]:
    return await lock_levels(
        session,
        pairs=sorted({(row.key.store_id, row.product_id) for row in rows}),
        expiring_from=min((row.day for row in rows), default=_NEVER),
        lots=sorted({row.lot for row in rows if row.lot is not None}),
        days=sorted({row.expiry_date for row in rows if row.expiry_date is not None}),
    )


def _makes_batch(row: EventRow) -> bool:
    return row.kind is EventKind.DELIVERY and row.expiry_date is not None


def _differs(row: EventRow, first: KnownEvent) -> str:
    key = row.key
    return (
        f"line {key.line_id!r} of source {key.source!r} is recorded with other content, as {first}: "
        "it is set aside; a correction needs a line id of its own"
    )


def _repeats_bad(row: EventRow, line: int) -> BadRow:
    return _bad(row, f"has the source and line id of line {line}, which was refused")


def _bad(row: EventRow, reason: str) -> BadRow:
    return BadRow(row.line, (CellProblem(None, reason),))

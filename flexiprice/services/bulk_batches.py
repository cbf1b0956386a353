"""The stock of many batches at once: lines into a temporary table, then a few statements on all of them."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, Date, Integer, String, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock, take_lock
from flexiprice.services.batch_lines import BatchLine, LineFormat, LineProblem, ReadLine, read_batch_lines
from flexiprice.services.constraints import conflict_where_needed

MAX_PROBLEMS = 1000
_LINES_PER_STATEMENT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSummary:
    """What became of the lines.

    Attributes:
        read: lines that were not empty: created + updated + unchanged + rejected where applied.
        created: batches that did not exist.
        updated: batches whose quantity differed.
        unchanged: batches that had that quantity already.
        rejected: lines that were left out.
        applied: False where one bad line was to undo all, and one was bad.
        problems: what is wrong with the rejected lines, by line; the first `MAX_PROBLEMS`.
        changed_batches: the created and updated batches, or the first of them.
    """

    read: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    applied: bool
    problems: tuple[LineProblem, ...]
    changed_batches: tuple[int, ...]


async def upsert_batches(
    session: AsyncSession,
    chunks: AsyncIterable[bytes],
    line_format: LineFormat | None,
    *,
    atomic: bool = False,
    max_changed: int = 10_000,
) -> BulkSummary:
    """Sets the quantity of each batch that a line names, and creates those that do not exist.

    A batch is known by store, SKU, lot and expiry date. Bad lines are reported and the good ones
    kept; of several lines about one batch all but the first are bad, because to add them up or to
    believe the last would be a guess. Nothing is priced here.

    Args:
        session: in a transaction, which nothing but this should share: it lasts as long as the bytes come.
        chunks: the bytes, in pieces of any size.
        line_format: how the lines are written; None where their first character says it.
        atomic: write nothing at all where a line is bad.
        max_changed: how many of the changed batches to name, at most.

    Raises:
        InvalidInput: the CSV's header cannot be used, or there are too many lines.
        Conflict: a store or product was deleted meanwhile.
    """
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.batch_lines, pg_temp.known_batch_lines"))
    await session.execute(_CREATE)
    read, rejected, problems = await _stage(session, chunks, line_format)
    await session.execute(_RESOLVE)
    await session.execute(text("ANALYZE pg_temp.known_batch_lines"))
    unusable = await _unusable(session)
    rejected += unusable.count
    problems = sorted([*problems, *unusable.problems], key=lambda problem: problem.line)[:MAX_PROBLEMS]
    if atomic and rejected:
        return BulkSummary(
            read=read,
            created=0,
            updated=0,
            unchanged=0,
            rejected=rejected,
            applied=False,
            problems=tuple(problems),
            changed_batches=(),
        )
    # Taken only now: nobody waits for a client that sends slowly.
    await take_lock(session, Lock.IMPORTS)
    updated = await _write(session, _UPDATE, max_changed)
    with conflict_where_needed(
        "a store or a product was deleted while its batches were read; send them again"
    ):
        created = await _write(session, _INSERT, max_changed)
    return BulkSummary(
        read=read,
        created=created.count,
        updated=updated.count,
        unchanged=read - rejected - created.count - updated.count,
        rejected=rejected,
        applied=True,
        problems=tuple(problems),
        changed_batches=(*updated.batch_ids, *created.batch_ids)[:max_changed],
    )


@dataclass(frozen=True, slots=True)
class _Unusable:
    count: int
    problems: list[LineProblem]


@dataclass(frozen=True, slots=True)
class _Written:
    count: int
    batch_ids: tuple[int, ...]


async def _stage(
    session: AsyncSession, chunks: AsyncIterable[bytes], line_format: LineFormat | None
) -> tuple[int, int, list[LineProblem]]:
    read, rejected = 0, 0
    problems: list[LineProblem] = []
    waiting: list[ReadLine] = []
    async for lines in read_batch_lines(chunks, line_format):
        read += len(lines)
        for line in lines:
            if line.batch is None:
                rejected += 1
                problems.extend(line.problems[: MAX_PROBLEMS - len(problems)])
            else:
                waiting.append(line)
        if len(waiting) >= _LINES_PER_STATEMENT:
            await _insert(session, waiting)
            waiting = []
    await _insert(session, waiting)
    return read, rejected, problems


async def _insert(session: AsyncSession, lines: Sequence[ReadLine]) -> None:
    if lines:
        columns = zip(*(_values(line.number, line.batch) for line in lines if line.batch), strict=True)
        await session.execute(_STAGE, dict(zip(_COLUMNS, map(list, columns), strict=True)))


def _values(number: int, batch: BatchLine) -> tuple[object, ...]:
    return number, batch.store, batch.sku, batch.lot, batch.expiry_date, batch.quantity


async def _unusable(session: AsyncSession) -> _Unusable:
    count, problems = 0, list[LineProblem]()
    rows = await session.execute(_UNUSABLE, {"most": MAX_PROBLEMS})
    for count, line, store, sku, store_id, product_id, first_line in rows:  # noqa: B007 the same in each
        if store_id is None:
            problems.append(LineProblem(line, "store", f"there is no store {store!r}"))
        if product_id is None:
            problems.append(LineProblem(line, "sku", f"there is no product with SKU {sku!r}"))
        if first_line != line:
            reason = f"is the same batch as line {first_line}: make them one line, or give each its lot"
            problems.append(LineProblem(line, None, reason))
    return _Unusable(count, problems)


async def _write(session: AsyncSession, statement: TextClause, max_changed: int) -> _Written:
    count, batch_ids = (await session.execute(statement, {"most": max_changed})).one()
    return _Written(count, tuple(batch_ids or ()))


_ARRAYS: tuple[BindParameter[object], ...] = (
    bindparam("line", type_=ARRAY(Integer)),
    bindparam("store", type_=ARRAY(String)),
    bindparam("sku", type_=ARRAY(String)),
    bindparam("lot", type_=ARRAY(String)),
    bindparam("expiry_date", type_=ARRAY(Date)),
    bindparam("quantity", type_=ARRAY(Integer)),
)
_COLUMNS = tuple(array.key for array in _ARRAYS)

_CREATE = text(
    """
    CREATE TEMPORARY TABLE batch_lines (
        line integer, store text, sku text, lot text, expiry_date date, quantity integer
    ) ON COMMIT DROP
    """
)

_STAGE = text(
    """
    INSERT INTO pg_temp.batch_lines
    SELECT * FROM unnest(:line, :store, :sku, :lot, :expiry_date, :quantity)
    """
).bindparams(*_ARRAYS)

_RESOLVE = text(
    """
    CREATE TEMPORARY TABLE known_batch_lines ON COMMIT DROP AS
    SELECT batch_lines.*, stores.id AS store_id, products.id AS product_id,
        min(line) OVER (PARTITION BY store, batch_lines.sku, lot, expiry_date) AS first_line
    FROM pg_temp.batch_lines
        LEFT JOIN stores ON stores.code = batch_lines.store
        LEFT JOIN products ON products.sku = batch_lines.sku
    """
)

_UNUSABLE = text(
    """
    SELECT count(*) OVER (), line, store, sku, store_id, product_id, first_line
    FROM pg_temp.known_batch_lines
    WHERE store_id IS NULL OR product_id IS NULL OR first_line <> line
    ORDER BY line
    LIMIT :most
    """
)

# Batches that exist are updated and only the others inserted: an upsert alone would lock, and use up
# an id for, every line. The upsert is for what others insert at that moment.
_UPDATE = text(
    """
    WITH written AS (
        UPDATE batches
        SET quantity = known.quantity, updated_at = now()
        FROM pg_temp.known_batch_lines AS known
        WHERE batches.store_id = known.store_id AND batches.product_id = known.product_id
            AND batches.lot = known.lot AND batches.expiry_date = known.expiry_date
            AND known.first_line = known.line
            AND batches.quantity <> known.quantity
        RETURNING batches.id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """
)

_INSERT = text(
    """
    WITH written AS (
        INSERT INTO batches (store_id, product_id, lot, expiry_date, quantity)
        SELECT store_id, product_id, lot, expiry_date, quantity
        FROM pg_temp.known_batch_lines AS known
        WHERE store_id IS NOT NULL AND product_id IS NOT NULL AND first_line = line
            AND NOT EXISTS (
                SELECT FROM batches
                WHERE batches.store_id = known.store_id AND batches.product_id = known.product_id
                    AND batches.lot = known.lot AND batches.expiry_date = known.expiry_date
            )
        ORDER BY store_id, product_id, lot, expiry_date
        ON CONFLICT (store_id, product_id, lot, expiry_date) DO UPDATE
        SET quantity = EXCLUDED.quantity, updated_at = now()
        RETURNING id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """
)

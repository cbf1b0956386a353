"""Readiness checks of PostgreSQL, which read no application rows.

They wait for no lock longer than `_LOCK_WAIT` and leave nothing behind.
"""

from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import METADATA
from flexiprice.db.sqlstate import refusal

_LOCK_WAIT: Final = "500ms"
# A set that exceeds this memory spills into a temporary file of about 0.8 MB. That tests the disk without
# write-ahead log, catalogue rows or vacuum.
_LITTLE_MEMORY: Final = "64kB"
_ROWS_TO_SPILL: Final = 60_000
_BEGIN: Final = select(
    func.set_config("lock_timeout", _LOCK_WAIT, True), func.set_config("work_mem", _LITTLE_MEMORY, True)
)
_READ_ONLY: Final = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
_SPILL: Final = select(func.count()).select_from(func.generate_series(1, _ROWS_TO_SPILL).alias("spilled"))
_UNKEYED: Final = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name "
    "WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(name) AND indisprimary)"
)
_KEYED: Final = sorted(table.name for table in METADATA.tables.values() if table.primary_key.columns)


async def limit_waits(session: AsyncSession) -> None:
    """Limits lock waits and memory of the transaction; call it first."""
    await session.execute(_BEGIN)


async def require_writable(session: AsyncSession) -> None:
    """Checks that PostgreSQL accepts writes: it is no standby, not read-only, and has disk space.

    Call `limit_waits` first in the transaction.

    Raises:
        DatabaseUnavailable: it does not; the error has the reason.
    """
    if await session.scalar(_READ_ONLY):
        raise refusal("25006")
    await session.execute(_SPILL)


async def require_tables(session: AsyncSession) -> None:
    """Checks that all tables exist with their primary keys, which a restore creates last.

    Raises:
        DatabaseNotMigrated: a table or a key is missing.
    """
    missing = (await session.scalars(_UNKEYED, {"names": _KEYED})).all()
    if missing:
        raise refusal("42P01")

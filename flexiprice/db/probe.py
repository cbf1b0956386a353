"""Whether PostgreSQL would take work right now: asked of the server itself, never of an application's rows.

What is asked waits for no lock longer than `_LOCK_WAIT` and leaves nothing behind.
"""

from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import METADATA
from flexiprice.db.sqlstate import refusal

_LOCK_WAIT: Final = "500ms"
# A set that does not fit into this memory is put into a temporary file, which needs some 0.8 MB of the disk:
# no write-ahead log, no row in a catalogue, nothing to vacuum.
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
    """Has the transaction wait for no lock for long, and use little memory; call it first."""
    await session.execute(_BEGIN)


async def require_writable(session: AsyncSession) -> None:
    """Makes sure that PostgreSQL would take a write: it is no standby, not read-only, and has disk left.

    The transaction must have begun with `limit_waits`.

    Raises:
        DatabaseUnavailable: it would not; the error says why.
    """
    if await session.scalar(_READ_ONLY):
        raise refusal("25006")
    await session.execute(_SPILL)


async def require_tables(session: AsyncSession) -> None:
    """Makes sure that all tables are there with their keys, which a restore makes last.

    Raises:
        DatabaseNotMigrated: some are not.
    """
    missing = (await session.scalars(_UNKEYED, {"names": _KEYED})).all()
    if missing:
        raise refusal("42P01")

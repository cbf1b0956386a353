"""From which instant a reader of changes goes on, so that it misses none that is committed late."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Longer than it takes from a transaction's first instant until others see that it is open.
_MARGIN_SECONDS: Final = 2
# Longer than any transaction of ours is open; for sessions of roles that PostgreSQL hides from this one.
_HIDDEN_SECONDS: Final = 900

# A row's `updated_at` is when its transaction began, and it is seen only after the commit. So whatever is not
# seen by a statement that starts after this one was written by a transaction that this one finds open, or by
# one that began later. One that only reads so far may still write.
_AS_OF: Final = text(
    f"""
    SELECT least(
        statement_timestamp() - make_interval(secs => {_MARGIN_SECONDS}),
        min(xact_start) FILTER (WHERE pid <> pg_backend_pid()) - make_interval(secs => {_MARGIN_SECONDS}),
        CASE WHEN bool_or(state IS NULL AND backend_type IS NULL)
            THEN statement_timestamp() - make_interval(secs => {_HIDDEN_SECONDS}) END
    )
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type IS DISTINCT FROM 'autovacuum worker'
    """  # noqa: S608 two numbers of this module
)


async def changes_complete_until(session: AsyncSession) -> datetime:
    """The instant that the next reading of changes begins at.

    Must be asked before the rows are read, in a transaction that reads anew in each statement
    (`READ COMMITTED`): what the rows then lack has an `updated_at` at or after this instant.
    """
    as_of: datetime = (await session.execute(_AS_OF)).scalar_one()
    return as_of

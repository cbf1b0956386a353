"""The instant from which a reader of changes continues without missing late commits."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Longer than the delay until other sessions see a new transaction.
_MARGIN_SECONDS: Final = 2
# Longer than any transaction of FlexiPrice, for sessions that PostgreSQL hides from this role.
_HIDDEN_SECONDS: Final = 900

# A row's `updated_at` is the start of its transaction, and the row is visible only after the commit. So a row
# that a later statement does not see was written by a transaction that is open now, or that begins later.
# Open transactions that have only read may still write.
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
    """Returns the instant at which the next read of changes must start.

    Call it before reading the rows, in a `READ COMMITTED` transaction. Changes that the rows then lack have
    an `updated_at` at or after this instant.
    """
    as_of: datetime = (await session.execute(_AS_OF)).scalar_one()
    return as_of

"""Locks that last as long as the transaction, so that they work behind a transaction-mode pooler.

Whoever takes several takes them in the order in which they stand here.
"""

from enum import IntEnum
from functools import cache

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

# Keeps our keys apart from those of other programs in the same database.
_NAMESPACE = 1_179_406_416
CLIENT_CHECK = {"client_connection_check_interval": "1s"}
"""What makes the server look every second whether the client of a transaction still lives."""
_WATCH_THE_CLIENT = select(*(func.set_config(name, value, True) for name, value in CLIENT_CHECK.items()))


class Lock(IntEnum):
    """What only one transaction may do at a time."""

    MIGRATIONS = 1
    POLICIES = 2
    DISCOUNTS = 3
    PRICE_HISTORY = 4
    PARTITIONS = 5
    IMPORTS = 6


async def acquire(session: AsyncSession, lock: Lock) -> None:
    """Waits until no other transaction holds the lock, and holds it until this one ends.

    Meanwhile the server looks every second whether the client still lives: one that was killed must
    neither run on nor keep the lock.
    """
    await session.execute(_WATCH_THE_CLIENT)
    await acquire_checked(session, lock)


async def acquire_checked(session: AsyncSession, lock: Lock) -> None:
    """`acquire` where an earlier statement of the transaction has set `CLIENT_CHECK`."""
    await session.execute(_exclusive(lock))


async def acquire_shared(session: AsyncSession, lock: Lock) -> None:
    """Like `acquire`, beside others that share it; it keeps out who takes it, and the other way round."""
    await session.execute(_WATCH_THE_CLIENT)
    await acquire_shared_checked(session, lock)


async def acquire_shared_checked(session: AsyncSession, lock: Lock) -> None:
    """`acquire_shared` where an earlier statement of the transaction has set `CLIENT_CHECK`."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(_NAMESPACE, int(lock))))


def acquire_sync(connection: Connection, lock: Lock) -> None:
    """`acquire` for what is not asynchronous: migrations."""
    connection.execute(_exclusive(lock))


@cache
def _exclusive(lock: Lock) -> Select[tuple[None]]:
    return select(func.pg_advisory_xact_lock(_NAMESPACE, int(lock)))

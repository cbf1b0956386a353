"""Advisory locks of a transaction, so that they work behind a pooler in transaction mode.

To avoid deadlocks, acquire several locks in the order of `Lock`.
"""

from enum import IntEnum
from functools import cache

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

# Separates these keys from those of other programs in the same database.
_NAMESPACE = 1_179_406_416
CLIENT_CHECK = {"client_connection_check_interval": "1s"}
"""The setting that makes the server check every second whether the client is still connected."""
_SET_CLIENT_CHECK = select(*(func.set_config(name, value, True) for name, value in CLIENT_CHECK.items()))


class Lock(IntEnum):
    """A resource that one transaction at a time may lock exclusively."""

    MIGRATIONS = 1
    POLICIES = 2
    DISCOUNTS = 3
    PRICE_HISTORY = 4
    PARTITIONS = 5
    IMPORTS = 6
    STOCK = 7
    STORE_PRICES = 8
    IMPORT_FOLDER = 9


async def acquire(session: AsyncSession, lock: Lock) -> None:
    """Acquires an exclusive lock until the transaction ends; waits for other holders.

    The server checks the client's connection every second, so that the transaction of a killed client ends
    and releases the lock.
    """
    await session.execute(_SET_CLIENT_CHECK)
    await acquire_checked(session, lock)


async def acquire_checked(session: AsyncSession, lock: Lock) -> None:
    """Like `acquire`, if an earlier statement of the transaction has set `CLIENT_CHECK`."""
    await session.execute(_exclusive(lock))


async def try_acquire(session: AsyncSession, lock: Lock) -> bool:
    """Acquires an exclusive lock until the transaction ends, unless another transaction holds it."""
    await session.execute(_SET_CLIENT_CHECK)
    taken = await session.scalar(select(func.pg_try_advisory_xact_lock(_NAMESPACE, int(lock))))
    return bool(taken)


async def acquire_shared(session: AsyncSession, lock: Lock) -> None:
    """Acquires a shared lock, which excludes exclusive holders only."""
    await session.execute(_SET_CLIENT_CHECK)
    await acquire_shared_checked(session, lock)


async def acquire_shared_checked(session: AsyncSession, lock: Lock) -> None:
    """Like `acquire_shared`, if an earlier statement of the transaction has set `CLIENT_CHECK`."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(_NAMESPACE, int(lock))))


def acquire_sync(connection: Connection, lock: Lock) -> None:
    """Like `acquire`, on a synchronous connection, for migrations; it does not set `CLIENT_CHECK`."""
    connection.execute(_exclusive(lock))


@cache
def _exclusive(lock: Lock) -> Select[tuple[None]]:
    return select(func.pg_advisory_xact_lock(_NAMESPACE, int(lock)))

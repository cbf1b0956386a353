"""Checks PostgreSQL and Redis before a worker claims its first job."""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.db.migrate import is_current
from flexiprice.db.partitions import ensure_partitions
from flexiprice.errors import DatabaseUnavailable, InvalidSettings
from flexiprice.queue.admin.broker_info import BrokerRisk, find_broker_info, probe_publishing
from flexiprice.queue.arq import ArqRedis
from flexiprice.telemetry import get_logger
from workers.runtime.redis_retry import RedisRetry

_LOGGER = get_logger(__name__)
_ATTEMPTS: Final = 30
_PAUSE_SECONDS: Final = 1.0


async def ready_database(sessions: async_sessionmaker[AsyncSession]) -> None:
    """Waits for the database, checks its schema and creates missing partitions.

    Raises:
        SystemExit: the database is unusable; the message says what to do.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with database_errors():
                async with sessions.begin() as session:
                    if not await is_current(session):
                        raise SystemExit(
                            "flexiprice: the database does not have this version's tables: "
                            "run `flexiprice migrate`"
                        )
                    await ensure_partitions(session, now=await database_now(session))
        except DatabaseUnavailable as error:
            if attempt == _ATTEMPTS:
                raise SystemExit(f"flexiprice: {error}") from None
            if attempt == 1:
                _LOGGER.warning("database_unavailable", error=str(error))
        except InvalidSettings as error:
            raise SystemExit(f"flexiprice: {error}") from None
        else:
            return
        await asyncio.sleep(_PAUSE_SECONDS)


async def ready_redis(redis: ArqRedis, redis_retry: RedisRetry) -> None:
    """Waits for Redis, checks our permissions, and warns if it may evict keys.

    Raises:
        InvalidSettings: Redis refuses this client; the message says what to do.
    """
    await redis_retry.call(lambda: probe_publishing(redis))
    info = await redis_retry.call(lambda: find_broker_info(redis))
    if info is not None and BrokerRisk.EVICTS in info.risks:
        _LOGGER.warning(
            "redis_evicts_keys",
            policy=info.eviction_policy,
            advice="when memory is short it drops keys, jobs among them: set maxmemory-policy to noeviction",
        )

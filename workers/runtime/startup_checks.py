"""What a worker makes sure of before it takes its first job."""

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
    """Waits for a database that starts too, checks its schema and makes the partitions that are missing.

    Raises:
        SystemExit: the database cannot be used; the message says what to do.
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
    """Waits for a Redis that starts too, checks our rights, and warns where it is set to drop keys.

    Raises:
        InvalidSettings: it refuses us; the message says what to do.
    """
    await redis_retry.call(lambda: probe_publishing(redis))
    info = await redis_retry.call(lambda: find_broker_info(redis))
    if info is not None and BrokerRisk.EVICTS in info.risks:
        _LOGGER.warning(
            "redis_evicts_keys",
            policy=info.eviction_policy,
            advice="when memory is short it drops keys, jobs among them: set maxmemory-policy to noeviction",
        )

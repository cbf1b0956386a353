"""The Redis client of arq's worker: retries where arq's loop would end, and exits with clear messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis.repair import RepairingRedis
from flexiprice.queue.redis.replies import RedisRefusal
from workers.runtime.redis_retry import REDIS_UNAVAILABLE, RedisRetry, refuse


class RetryingArqRedis(RepairingRedis):
    """arq's client with retries through outages of Redis.

    Attributes:
        redis_retry: repeats commands while Redis is unavailable.
    """

    redis_retry: RedisRetry

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "Pipeline":
        """Returns a pipeline. arq uses one without a transaction only for its start-up log line."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _NoStartupQueries(self)

    async def close(self, close_connection_pool: bool | None = None) -> None:
        """Closes the client. arq still calls this name, which redis-py deprecates."""
        await self.aclose(close_connection_pool)

    async def delete(self, *names: bytes | str | memoryview) -> int:  # noqa: ARG002 -- as in redis-py
        """Deletes nothing. arq only deletes its health key at shutdown, and all workers share that key.

        Without it `arq --check` fails until another worker refreshes the key. The key expires by itself.
        """
        return 0

    async def execute_command(self, *args: object, **options: object) -> object:
        """Runs a command; waits while Redis is unavailable.

        Raises:
            SystemExit: Redis refuses this client permanently.
        """

        async def attempt() -> object:
            try:
                return await self._execute(*args, **options)
            except NoScriptError as error:
                return error

        try:
            answer = await self.redis_retry.call(attempt)
        except RedisRefusal as error:
            raise refuse(error) from None
        except REDIS_UNAVAILABLE as error:
            # The worker is stopping; this ends arq's loop.
            raise asyncio.CancelledError from error
        if isinstance(answer, NoScriptError):
            # Not an outage: the caller loads the script and repeats.
            raise answer
        return answer

    async def _execute(self, *args: object, **options: object) -> object:
        execute = cast("Callable[..., Awaitable[object]]", super().execute_command)
        return await execute(*args, **options)


class _NoStartupQueries(Pipeline):
    """Skips the queries of arq's start-up log line, which run before logging and signal handlers are set up.

    Redis may be unavailable or not ready, or our user may not be allowed to run INFO.
    """

    def __init__(self, redis: ArqRedis) -> None:
        pool = redis.connection_pool
        super().__init__(pool, redis.response_callbacks, False, None)  # pyright: ignore[reportArgumentType]

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: ARG002 -- as in redis-py
        """Returns an empty result for each command."""
        return [{} for _ in self.command_stack]

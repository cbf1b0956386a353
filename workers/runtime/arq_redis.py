"""The client of arq's own worker: it waits for Redis where arq's loop would end, and ends in plain words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis.repair import RepairingRedis
from flexiprice.queue.redis.replies import RedisRefusal
from workers.runtime.redis_retry import REDIS_UNAVAILABLE, RedisRetry, refuse


class PatientRedis(RepairingRedis):
    """arq's client, which never fails while Redis may still come back.

    Attributes:
        redis_retry: waits for Redis.
    """

    redis_retry: RedisRetry

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "Pipeline":
        """A pipeline; one without a transaction is arq's question for its start-up line."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _StartUpFacts(self)

    async def close(self, close_connection_pool: bool | None = None) -> None:
        """Closes, by the name that arq still uses and redis-py warns of."""
        await self.aclose(close_connection_pool)

    async def delete(self, *names: bytes | str | memoryview) -> int:  # noqa: ARG002 -- as redis-py has it
        """Deletes nothing: arq's last step is to delete its health key, which all workers share.

        `arq --check` would find no worker until another one refreshed the key; it expires by itself.
        """
        return 0

    async def execute_command(self, *args: object, **options: object) -> object:
        """Runs a command, however long Redis is away.

        Raises:
            SystemExit: Redis refuses us, and no patience helps.
        """

        async def answered() -> object:
            try:
                return await self._execute(*args, **options)
            except NoScriptError as error:
                return error

        try:
            answer = await self.redis_retry.call(answered)
        except RedisRefusal as error:
            raise refuse(error) from None
        except REDIS_UNAVAILABLE as error:
            # The worker ends, and arq's loop with it.
            raise asyncio.CancelledError from error
        if isinstance(answer, NoScriptError):
            # No absence to wait for: whoever calls the script loads it now.
            raise answer
        return answer

    async def _execute(self, *args: object, **options: object) -> object:
        execute = cast("Callable[..., Awaitable[object]]", super().execute_command)
        return await execute(*args, **options)


class _StartUpFacts(Pipeline):
    """Stands for what arq asks for a line in the log, before logging is set up and signals are heeded.

    It asks nothing: Redis may be away, refuse for now what it is asked, or not let our user have INFO at all.
    """

    def __init__(self, redis: ArqRedis) -> None:
        pool = redis.connection_pool
        super().__init__(pool, redis.response_callbacks, False, None)  # pyright: ignore[reportArgumentType]

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: ARG002 -- as redis-py has it
        """No facts, in the shape in which arq reads them."""
        return [{} for _ in self.command_stack]

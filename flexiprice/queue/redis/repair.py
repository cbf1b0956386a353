"""A Redis client that quarantines keys of a wrong type and repeats the command."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis.bad_entries import shown_name
from flexiprice.queue.redis.scripts import QUARANTINE_KEY
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_OUR_PREFIXES: Final = (b"arq:", b"flexiprice:")
# Key type by the first letter of a command; all other commands are for strings.
_TYPES: Final[Mapping[str, str]] = {"H": "hash", "Z": "zset"}
_SCRIPTS: Final = ("EVAL", "EVALSHA", "FCALL")


class RepairingRedis(ArqRedis):
    """arq's client, with quarantine of keys of a wrong type."""

    async def execute_command(self, *args: object, **options: object) -> object:
        """Runs a command. If its key has a wrong type, quarantines the key and runs the command again."""
        execute = cast("Any", super().execute_command)
        try:
            return await execute(*args, **options)
        except ResponseError as error:
            if not await self.quarantine(error, args):
                raise
        return await execute(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Returns a pipeline with the same behaviour."""
        return _RepairingPipeline(self, transaction, shard_hint)

    async def quarantine(self, error: object, command: Sequence[object]) -> bool:
        """Quarantines the key of a command that failed for the key's type. Returns whether to repeat it.

        Args:
            error: the error of the command.
            command: the command: name, key and arguments.
        """
        if not isinstance(error, ResponseError) or "WRONGTYPE" not in str(error) or len(command) < 2:
            return False
        name, key = _text(command[0]).decode().upper(), _text(command[1])
        if name.startswith(_SCRIPTS) or not key.startswith(_OUR_PREFIXES):
            return False
        wanted = _TYPES.get(name[0], "string")
        if await cast("Any", self.eval(QUARANTINE_KEY, 1, cast("str", key), wanted)):
            _LOGGER.error("redis_entry_set_aside", key=shown_name(key), expected_type=wanted)
        return True


class _RepairingPipeline(Pipeline):
    """A pipeline that repeats commands which failed for the type of their key."""

    def __init__(self, owner: RepairingRedis, transaction: bool, shard_hint: str | None) -> None:
        pool = owner.connection_pool
        super().__init__(pool, owner.response_callbacks, transaction, shard_hint)  # pyright: ignore[reportArgumentType] -- the other type is for redis-py's blocking client
        self._owner = owner

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = [(args, dict(options)) for args, options in self.command_stack]
        replies = await super().execute(raise_on_error=False)
        for index, (args, options) in enumerate(commands):
            if index < len(replies) and await self._owner.quarantine(replies[index], args):
                replies[index] = await self._owner.execute_command(*args, **options)
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, ResponseError):
                    raise reply
        return replies


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()

"""The same task under arq's worker as it comes, but for a poll every ten milliseconds."""

import os

from arq.connections import RedisSettings


async def noop(_: dict[str, object]) -> None:
    """Does nothing."""


class WorkerSettings:
    """The settings of arq's command, with arq's defaults for the rest."""

    functions = [noop]  # noqa: RUF012 -- arq reads it so
    redis_settings = RedisSettings.from_dsn(os.environ["FLEXIPRICE_REDIS_URL"])
    poll_delay = 0.01

"""Waiting for an answer no longer than a person would."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from flexiprice.errors import TransientError

FOR_LITTLE: Final = 5.0
"""Seconds for what is read in no time."""
FOR_MUCH: Final = 30.0
"""Seconds for what looks at very many rows."""
Value = TypeVar("Value")


async def answered(reading: Awaitable[Value], *, within: float = FOR_LITTLE) -> Value:
    """What a reading gives; it is given up where a server neither answers nor is away.

    Args:
        reading: what to wait for.
        within: so many seconds.

    Raises:
        TransientError: there was no answer.
    """
    try:
        async with asyncio.timeout(within):
            return await reading
    except TimeoutError:
        raise TransientError(f"there was no answer within {within:.0f} seconds") from None

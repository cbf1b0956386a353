"""Timeouts for what pages read."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from flexiprice.errors import TransientError

QUERY_TIMEOUT: Final = 5.0
"""Seconds for a query that reads few rows."""
SCAN_TIMEOUT: Final = 30.0
"""Seconds for a query that scans a large table."""
Value = TypeVar("Value")


async def with_timeout(reading: Awaitable[Value], *, seconds: float = QUERY_TIMEOUT) -> Value:
    """Awaits a reading for a limited time, for servers that accept connections but do not respond.

    Args:
        reading: the awaitable.
        seconds: the time limit.

    Raises:
        TransientError: the time limit has passed.
    """
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise TransientError(f"there was no answer within {seconds:.0f} seconds") from None

"""The overview: whether all is well, and how much is going on."""

from api.monitor.shell import page


@page("/", "Overview")
async def overview() -> None:
    """Shows how everything stands."""

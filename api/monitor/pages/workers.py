"""The workers: who lives, what each does, and telling one to end."""

from api.monitor.shell import page


@page("/workers", "Workers")
async def workers() -> None:
    """Shows the live workers."""

"""Which statements a piece of code sends to the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession


@asynccontextmanager
async def statements_of(session: AsyncSession) -> AsyncIterator[list[tuple[str, Any]]]:
    """The statements, with their parameters, that are sent in a session while the context is open."""
    connection = (await session.connection()).sync_connection
    assert connection is not None
    sent = list[tuple[str, Any]]()

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", note)

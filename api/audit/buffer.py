"""Writing changes down soon after they were made, for endpoints whose callers wait for no database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_log import AuditEvent
from flexiprice.access.audited import record_events

# What is told meanwhile is written by one statement.
_GATHER_SECONDS: Final = 0.05
_CHANGES_PER_STATEMENT: Final = 500


class AuditWriter:
    """Takes changes that have been made, and writes many of them by one statement."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._made: list[AuditEvent] = []
        self._told = asyncio.Event()
        self._is_ending = False

    def tell(self, change: AuditEvent) -> None:
        """Has a change written down."""
        self._made.append(change)
        self._told.set()

    async def main(self) -> None:
        """Writes until it is told to end, and then what is left."""
        while not self._is_ending:
            await self._told.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._told.clear()
            await self.write()

    def end(self) -> None:
        """Has `main` end."""
        self._is_ending = True
        self._told.set()

    async def write(self) -> None:
        """Writes what it was told so far; where the database does not take it, the log does."""
        while self._made:
            some = self._made[:_CHANGES_PER_STATEMENT]
            await record_events(self._sessions, some)
            del self._made[: len(some)]


@asynccontextmanager
async def writing_audit(sessions: async_sessionmaker[AsyncSession]) -> AsyncGenerator[AuditWriter]:
    """A writer for as long as the context lasts; at its end, all is written."""
    writer = AuditWriter(sessions)
    writing = asyncio.create_task(writer.main(), name="audit")
    try:
        yield writer
    finally:
        # Never cancelled: in the middle of a statement that would lose what is being written.
        writer.end()
        await writing

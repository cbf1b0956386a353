"""Buffers audit entries for endpoints that must not wait for PostgreSQL; a background task writes them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_context import record_events
from flexiprice.access.audit_log import AuditEvent

# Events that arrive within this time are written by one statement.
_BATCH_SECONDS: Final = 0.05
_EVENTS_PER_STATEMENT: Final = 500


class AuditBuffer:
    """Collects audit events and writes them in batches."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._events: list[AuditEvent] = []
        self._wake = asyncio.Event()
        self._is_closing = False

    def add(self, event: AuditEvent) -> None:
        """Adds an event; it is written soon."""
        self._events.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Writes events until the buffer is closed, then the remaining ones."""
        while not self._is_closing:
            await self._wake.wait()
            await asyncio.sleep(_BATCH_SECONDS)
            self._wake.clear()
            await self.flush()

    def close(self) -> None:
        """Makes `run` write the remaining events and return."""
        self._is_closing = True
        self._wake.set()

    async def flush(self) -> None:
        """Writes all buffered events; if PostgreSQL rejects them, they are logged instead."""
        while self._events:
            batch = self._events[:_EVENTS_PER_STATEMENT]
            await record_events(self._sessions, batch)
            del self._events[: len(batch)]


@asynccontextmanager
async def open_audit_buffer(sessions: async_sessionmaker[AsyncSession]) -> AsyncGenerator[AuditBuffer]:
    """Opens a buffer; the end of the context waits until all its events are written."""
    buffer = AuditBuffer(sessions)
    writing = asyncio.create_task(buffer.run(), name="audit")
    try:
        yield buffer
    finally:
        # Not cancelled: a cancellation during a statement would lose the events that it writes.
        buffer.close()
        await writing

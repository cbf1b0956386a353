"""The sessions that this process knows: looked up in PostgreSQL again and again, and written there."""

import asyncio
import hmac
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from api.security.authentication import EnvironmentKey
from flexiprice.access.key_ring import KeyRing, read_key_ring
from flexiprice.access.monitor_sessions import (
    LONGEST,
    StoredSession,
    end_sessions,
    environment_proof,
    find_sessions,
    hash_session_id,
    note_session_use,
    store_session,
)
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope, allows
from flexiprice.errors import DatabaseUnavailable
from flexiprice.telemetry import get_logger

CHECKED_EVERY_SECONDS: Final = 1.0
"""How often the sessions of open pages are looked up."""
_FORGOTTEN_AFTER_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 3.0
# Longer than a look takes that PostgreSQL does not answer, so that no request waits for it once more.
_HOLDS_SECONDS: Final = _PATIENCE_SECONDS + 2 * CHECKED_EVERY_SECONDS
_AWAY: Final = (DatabaseUnavailable, DBAPIError, TimeoutError)

_log = get_logger(__name__)


@dataclass(slots=True)
class KnownSession:
    """A session, as this process knows it; instants are those of the monotonic clock.

    Attributes:
        stored: what the database has of it.
        scopes: of its key.
        checked_at: when the database was asked last, whether or not it answered.
        is_stored: whether it has the session; one that was opened while it was away is written later.
        asked_at: when this process needed it last.
        acted_at: when its viewer did anything.
        noted_at: up to when that was written down.
    """

    stored: StoredSession
    scopes: tuple[Scope, ...]
    checked_at: float
    is_stored: bool = True
    asked_at: float = field(default_factory=time.monotonic)
    acted_at: float = field(default_factory=time.monotonic)
    noted_at: float = 0.0


class KnownSessions:
    """Sessions stand in PostgreSQL, beside the keys. This is what one process knows of them.

    While PostgreSQL is away, what was known goes on, new sessions are kept in memory until it is back, and
    what is to end there ends here at once.
    """

    def __init__(
        self,
        environment: Mapping[str, EnvironmentKey],
        sessions: async_sessionmaker[AsyncSession],
        *,
        idle: timedelta,
    ) -> None:
        self._environment = environment
        self._sessions = sessions
        self._idle = idle
        self._known: dict[bytes, KnownSession] = {}
        # Ended here, and perhaps not yet in the database.
        self._to_end: set[bytes] = set()

    def get(self, id_hash: bytes) -> KnownSession | None:
        """A session that is known and not over; who asks for it has it looked up from now on."""
        known = self._known.get(id_hash)
        if known is not None:
            known.asked_at = time.monotonic()
        return known

    async def find(self, session_id: str) -> KnownSession | None:
        """The session with an id, asked of the database where it is not known."""
        id_hash = hash_session_id(session_id)
        known = self._known.get(id_hash)
        if known is None or time.monotonic() - known.checked_at > _HOLDS_SECONDS:
            await self._check([id_hash], session_id)
        return self.get(id_hash)

    async def add(self, opened: StoredSession, scopes: tuple[Scope, ...]) -> None:
        """Takes in a session that was just opened, and writes it down."""
        self._known[opened.id_hash] = KnownSession(opened, scopes, time.monotonic(), is_stored=False)
        await self._write()

    async def end(self, id_hash: bytes) -> None:
        """Ends a session in all monitors: now, or when PostgreSQL is back."""
        self._known.pop(id_hash, None)
        self._to_end.add(id_hash)
        await self._write()

    async def watch(self) -> None:
        """Looks the sessions of open pages up again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(CHECKED_EVERY_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Writes what is to be written of sessions, and looks up all that are known here."""
        now = time.monotonic()
        for id_hash, known in list(self._known.items()):
            if now - known.asked_at > _FORGOTTEN_AFTER_SECONDS:
                del self._known[id_hash]
        if self._known or self._to_end:
            # Apart, because a database that takes no writes may still be asked.
            await self._write()
            if not await self._check(list(self._known)):
                self._end_old_ones()

    def scopes_of(self, stored: StoredSession, ring: KeyRing, session_id: str | None) -> tuple[Scope, ...]:
        """What the key of a session may do by now; nothing where it is not in force any more.

        Args:
            stored: the session.
            ring: the keys of the database.
            session_id: its id, which a session of the environment's key is proved with; None where it was.
        """
        if stored.key_id is not None:
            holder = ring.holder_by_hash(stored.key_id, stored.proof, now=ring.as_of)
            return () if holder is None else holder.scopes
        known = self._environment.get(stored.key_name)
        if known is None:
            return ()
        # Once is enough: the keys of the environment stay the same while this process lives.
        is_proved = session_id is None or hmac.compare_digest(
            stored.proof, environment_proof(known.key, session_id)
        )
        return known.holder.scopes if is_proved else ()

    async def _write(self) -> None:
        ending = set(self._to_end)
        opened = [known for known in self._known.values() if not known.is_stored]
        used = [known for known in self._known.values() if known.acted_at > known.noted_at]
        if not (ending or opened or used):
            return
        began_at = time.monotonic()
        try:
            async with self._patient_transaction() as session:
                now = await database_now(session)
                await end_sessions(session, id_hashes=ending)
                for known in opened:
                    await store_session(session, replace(known.stored, created_at=now), idle=self._idle)
                await note_session_use(session, [known.stored.id_hash for known in used], now=now)
        except _AWAY as error:
            _log.warning("sessions_not_written", reason=str(error) or type(error).__name__)
            return
        self._to_end -= ending
        for known in opened:
            known.is_stored = True
        for known in used:
            known.noted_at = began_at

    async def _check(self, id_hashes: Collection[bytes], session_id: str | None = None) -> bool:
        checked_at = time.monotonic()
        for id_hash in id_hashes:
            if id_hash in self._known:
                self._known[id_hash].checked_at = checked_at
        try:
            async with self._patient_transaction() as session:
                ring = await read_key_ring(session)
                found = await find_sessions(session, id_hashes, now=ring.as_of, idle=self._idle)
        except _AWAY as error:
            # What is known goes on: keys and sessions end through the database, which is away.
            _log.warning("sessions_not_checked", reason=str(error) or type(error).__name__)
            return False
        stored = {one.id_hash: one for one in found}
        for id_hash in id_hashes:
            known = self._known.get(id_hash)
            if known is not None and not known.is_stored:
                stored.setdefault(id_hash, known.stored)
            scopes = self.scopes_of(stored[id_hash], ring, session_id) if id_hash in stored else ()
            if id_hash in self._to_end or not allows(scopes, Scope.READ):
                self._known.pop(id_hash, None)
            elif known is None:
                self._known[id_hash] = KnownSession(stored[id_hash], scopes, checked_at)
            else:
                known.scopes = scopes
        return True

    def _end_old_ones(self) -> None:
        now = time.monotonic()
        for id_hash, known in list(self._known.items()):
            age = datetime.now(UTC) - known.stored.created_at
            if age > LONGEST or now - known.acted_at > self._idle.total_seconds():
                del self._known[id_hash]

    @asynccontextmanager
    async def _patient_transaction(self) -> AsyncGenerator[AsyncSession]:
        with database_errors():
            async with asyncio.timeout(_PATIENCE_SECONDS), self._sessions.begin() as session:
                yield session

"""Caches the monitor's sessions in one process, refreshed from PostgreSQL every second."""

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
    record_session_use,
    store_session,
)
from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope, allows
from flexiprice.errors import DatabaseUnavailable
from flexiprice.telemetry import get_logger

REFRESH_SECONDS: Final = 1.0
"""Interval at which the cached sessions are read again."""
_UNUSED_SECONDS: Final = 60.0
_TRANSACTION_TIMEOUT_SECONDS: Final = 3.0
# Longer than a refresh that times out, so that requests do not wait for PostgreSQL too.
_MAX_AGE_SECONDS: Final = _TRANSACTION_TIMEOUT_SECONDS + 2 * REFRESH_SECONDS
_DATABASE_UNAVAILABLE: Final = (DatabaseUnavailable, DBAPIError, TimeoutError)

_log = get_logger(__name__)


@dataclass(slots=True)
class KnownSession:
    """A cached session; instants are of the monotonic clock.

    Attributes:
        stored: its row in PostgreSQL.
        scopes: scopes of its key.
        checked_at: latest attempt to read it from PostgreSQL, successful or not.
        is_stored: whether the row is written; during an outage, writing is deferred.
        requested_at: latest lookup by this process.
        acted_at: latest action of its user.
        recorded_at: time up to which actions are written to PostgreSQL.
    """

    stored: StoredSession
    scopes: tuple[Scope, ...]
    checked_at: float
    is_stored: bool = True
    requested_at: float = field(default_factory=time.monotonic)
    acted_at: float = field(default_factory=time.monotonic)
    recorded_at: float = 0.0


class KnownSessions:
    """A cache of the sessions in PostgreSQL.

    While PostgreSQL is unavailable, cached sessions stay valid, new ones are kept in memory, and a logout
    takes effect in this process at once. Both are written when PostgreSQL is available again.
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
        # Ended in this process, and perhaps not yet in PostgreSQL.
        self._to_end: set[bytes] = set()

    def get(self, id_hash: bytes) -> KnownSession | None:
        """Returns a cached session, and keeps it among those that are refreshed; None if there is none."""
        known = self._known.get(id_hash)
        if known is not None:
            known.requested_at = time.monotonic()
        return known

    async def find(self, session_id: str) -> KnownSession | None:
        """Returns the session with an id, from PostgreSQL if it is not cached; None if there is none."""
        id_hash = hash_session_id(session_id)
        known = self._known.get(id_hash)
        if known is None or time.monotonic() - known.checked_at > _MAX_AGE_SECONDS:
            await self._check([id_hash], session_id)
        return self.get(id_hash)

    async def add(self, opened: StoredSession, scopes: tuple[Scope, ...]) -> None:
        """Adds a new session and writes it to PostgreSQL."""
        self._known[opened.id_hash] = KnownSession(opened, scopes, time.monotonic(), is_stored=False)
        await self._write()

    async def end(self, id_hash: bytes) -> None:
        """Ends a session in all monitors; deferred until PostgreSQL is available."""
        self._known.pop(id_hash, None)
        self._to_end.add(id_hash)
        await self._write()

    async def refresh_forever(self) -> None:
        """Refreshes the cached sessions every second until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Writes pending changes of sessions, and reads all cached ones again."""
        now = time.monotonic()
        for id_hash, known in list(self._known.items()):
            if now - known.requested_at > _UNUSED_SECONDS:
                del self._known[id_hash]
        if self._known or self._to_end:
            # In separate transactions: a read-only PostgreSQL can still be read.
            await self._write()
            if not await self._check(list(self._known)):
                self._end_expired()

    def scopes_of(self, stored: StoredSession, ring: KeyRing, session_id: str | None) -> tuple[Scope, ...]:
        """Returns the current scopes of a session's key; empty if the key is no longer valid.

        Args:
            stored: the session.
            ring: the keys of the database.
            session_id: id of the session, which proves the session of an environment key; None if that was
                proved before.
        """
        if stored.key_id is not None:
            holder = ring.holder_by_hash(stored.key_id, stored.proof, now=ring.as_of)
            return () if holder is None else holder.scopes
        known = self._environment.get(stored.key_name)
        if known is None:
            return ()
        # Proved once: the environment's keys do not change while the process runs.
        is_proved = session_id is None or hmac.compare_digest(
            stored.proof, environment_proof(known.key, session_id)
        )
        return known.holder.scopes if is_proved else ()

    async def _write(self) -> None:
        ended = set(self._to_end)
        opened = [known for known in self._known.values() if not known.is_stored]
        used = [known for known in self._known.values() if known.acted_at > known.recorded_at]
        if not (ended or opened or used):
            return
        began_at = time.monotonic()
        try:
            async with self._timed_transaction() as session:
                now = await database_now(session)
                await end_sessions(session, id_hashes=ended)
                for known in opened:
                    await store_session(session, replace(known.stored, created_at=now), idle=self._idle)
                await record_session_use(session, [known.stored.id_hash for known in used], now=now)
        except _DATABASE_UNAVAILABLE as error:
            _log.warning("sessions_not_written", reason=str(error) or type(error).__name__)
            return
        self._to_end -= ended
        for known in opened:
            known.is_stored = True
        for known in used:
            known.recorded_at = began_at

    async def _check(self, id_hashes: Collection[bytes], session_id: str | None = None) -> bool:
        checked_at = time.monotonic()
        for id_hash in id_hashes:
            if id_hash in self._known:
                self._known[id_hash].checked_at = checked_at
        try:
            async with self._timed_transaction() as session:
                ring = await read_key_ring(session)
                found = await find_sessions(session, id_hashes, now=ring.as_of, idle=self._idle)
        except _DATABASE_UNAVAILABLE as error:
            # Cached sessions stay valid: keys and sessions end in PostgreSQL, which is unavailable.
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

    def _end_expired(self) -> None:
        now = time.monotonic()
        for id_hash, known in list(self._known.items()):
            age = datetime.now(UTC) - known.stored.created_at
            if age > LONGEST or now - known.acted_at > self._idle.total_seconds():
                del self._known[id_hash]

    @asynccontextmanager
    async def _timed_transaction(self) -> AsyncGenerator[AsyncSession]:
        with database_errors():
            async with asyncio.timeout(_TRANSACTION_TIMEOUT_SECONDS), self._sessions.begin() as session:
                yield session

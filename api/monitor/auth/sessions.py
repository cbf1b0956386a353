"""Who may see the monitor: whoever signed in with a key, for as long as the session and the key last."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.requests import HTTPConnection
from starlette.types import Scope as RequestScope

from api.monitor.auth.known_sessions import CHECKED_EVERY_SECONDS, KnownSession, KnownSessions
from api.monitor.auth.user import ON_THIS_MACHINE, Viewer
from api.security.admin_guard import is_from_this_machine
from api.security.authentication import EnvironmentKey, KeyAuthenticator, bootstrap_key
from flexiprice.access.key_ring import KeyHolder, UselessKey, read_key_ring
from flexiprice.access.monitor_sessions import (
    LONGEST,
    StoredSession,
    environment_proof,
    hash_session_id,
    new_session_id,
    take_sign_in,
)
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope, allows
from flexiprice.settings import Settings

COOKIE: Final = "flexiprice_monitor"
SESSION_SECONDS: Final = int(LONGEST.total_seconds())
READ_KEY_HOLDER: Final = "read-only key"
"""The name of the holder of `FLEXIPRICE_MONITOR_READ_KEY`; no key of the database can have it."""


def environment_keys(settings: Settings) -> list[EnvironmentKey]:
    """The keys of the settings that open the monitor."""
    reader = KeyHolder(READ_KEY_HOLDER, (Scope.READ,))
    looking = [EnvironmentKey(reader, settings.monitor_read_key)] if settings.monitor_read_key else []
    return [*bootstrap_key(settings), *looking]


class Access:
    """Signs viewers in, and knows them again, until their session ends, wherever that was done.

    Attributes:
        is_open: whether this machine is served without a key.
        sessions: those that this process knows.
    """

    def __init__(
        self, settings: Settings, key_check: KeyAuthenticator, sessions: async_sessionmaker[AsyncSession]
    ) -> None:
        self.is_open = settings.open_loopback
        self._environment = {one.holder.name: one for one in environment_keys(settings)}
        self._key_check = key_check
        self._database = sessions
        self.sessions = KnownSessions(self._environment, sessions, idle=settings.monitor_session_idle)

    async def viewer_of(self, scope: RequestScope) -> Viewer | None:
        """Who is behind a request or a web socket; None where nobody was let in."""
        session_id = HTTPConnection(scope).cookies.get(COOKIE)
        known = await self.sessions.find(session_id) if session_id else None
        if known is not None:
            known.acted_at = time.monotonic()
            return _viewer(known)
        return ON_THIS_MACHINE if self.is_open and is_from_this_machine(scope) else None

    def rights_now(self, viewer: Viewer) -> Viewer | None:
        """The viewer with the rights that they have by now; None where they are let in no longer."""
        if viewer.session is None:
            return viewer if self.is_open else None
        known = self.sessions.get(viewer.session)
        return None if known is None else _viewer(known)

    def note_use(self, viewer: Viewer) -> None:
        """Takes note that a viewer has done something, so that the session does not end for want of it."""
        if viewer.session is not None and (known := self.sessions.get(viewer.session)) is not None:
            known.acted_at = time.monotonic()

    async def log_in(self, presented: str, *, address: str) -> tuple[Viewer, str] | None:
        """Opens a session with a key: who that is, and the session's id for the browser to keep.

        Returns:
            None where the key is nobody's, or may not look.

        Raises:
            TooManyWrongKeys: of this address.
            DatabaseUnavailable: it is not the environment's, and the database cannot be asked.
        """
        holder = await self._key_check.holder_of(presented.strip(), address=address)
        # The monitor shows everything, so that whoever may not look is not let in.
        if holder is None or not allows(holder.scopes, Scope.READ):
            return None
        return await self._open(holder)

    def explain(self, presented: str) -> KeyHolder | UselessKey:
        """Whose key one is that was just refused, or why it is nobody's; for the audit alone."""
        return self._key_check.explain(presented.strip())

    async def sign_in(self, token: str) -> tuple[Viewer, str] | None:
        """Opens a session with an address that signs in once; None where it does so no longer.

        Raises:
            DatabaseUnavailable: the database cannot be asked.
        """
        with database_errors():
            async with self._database.begin() as session:
                ring = await read_key_ring(session)
                offered = await take_sign_in(session, hash_session_id(token), now=ring.as_of)
        if offered is None or not allows(scopes := self.sessions.scopes_of(offered, ring, token), Scope.READ):
            return None
        by_hash = None if offered.key_id is None else offered.proof
        return await self._open(KeyHolder(offered.key_name, scopes, offered.key_id, by_hash))

    async def log_out(self, viewer: Viewer) -> None:
        """Ends a viewer's session in all windows and all monitors: now, or when PostgreSQL is back."""
        if viewer.session is not None:
            await self.sessions.end(viewer.session)

    async def ended(self, viewer: Viewer) -> None:
        """Returns when a viewer is let in no longer."""
        while self.rights_now(viewer) is not None:  # noqa: ASYNC110 -- it is asking that keeps it watched
            await asyncio.sleep(CHECKED_EVERY_SECONDS)

    async def _open(self, holder: KeyHolder) -> tuple[Viewer, str]:
        session_id = new_session_id()
        if holder.secret_hash is None:
            proof = environment_proof(self._environment[holder.name].key, session_id)
        else:
            proof = holder.secret_hash
        opened = StoredSession(
            id_hash=hash_session_id(session_id),
            key_name=holder.name,
            key_id=holder.key_id,
            proof=proof,
            created_at=datetime.now(UTC),
        )
        await self.sessions.add(opened, holder.scopes)
        return Viewer.of(holder.name, holder.scopes, opened.id_hash), session_id


def _viewer(known: KnownSession) -> Viewer:
    return Viewer.of(known.stored.key_name, known.scopes, known.stored.id_hash)

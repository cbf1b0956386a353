"""Authenticates users of the monitor by key, sign-in link or session cookie."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.requests import HTTPConnection
from starlette.types import Scope as RequestScope

from api.monitor.auth.known_sessions import REFRESH_SECONDS, KnownSession, KnownSessions
from api.monitor.auth.user import LOCAL_USER, User
from api.security.admin_guard import is_from_this_machine
from api.security.authentication import EnvironmentKey, KeyAuthenticator, bootstrap_key
from flexiprice.access.key_ring import KeyHolder, RejectedKey, read_key_ring
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
"""Name of the holder of `FLEXIPRICE_MONITOR_READ_KEY`; keys of the database cannot have it."""


def environment_keys(settings: Settings) -> list[EnvironmentKey]:
    """Returns the keys of the settings that open the monitor."""
    reader = KeyHolder(READ_KEY_HOLDER, (Scope.READ,))
    read_key = [EnvironmentKey(reader, settings.monitor_read_key)] if settings.monitor_read_key else []
    return [*bootstrap_key(settings), *read_key]


class SessionAuthenticator:
    """Signs users in, and authenticates their requests until the session or its key ends.

    Attributes:
        is_open: whether loopback clients need no key.
        sessions: the sessions cached by this process.
    """

    def __init__(
        self,
        settings: Settings,
        key_authenticator: KeyAuthenticator,
        sessions: async_sessionmaker[AsyncSession],
    ) -> None:
        self.is_open = settings.open_loopback
        self._environment = {one.holder.name: one for one in environment_keys(settings)}
        self._key_authenticator = key_authenticator
        self._database = sessions
        self.sessions = KnownSessions(self._environment, sessions, idle=settings.monitor_session_idle)

    async def user_of(self, scope: RequestScope) -> User | None:
        """Returns the user of a request or web socket; None without a valid session."""
        session_id = HTTPConnection(scope).cookies.get(COOKIE)
        known = await self.sessions.find(session_id) if session_id else None
        if known is not None:
            known.acted_at = time.monotonic()
            return _user(known)
        return LOCAL_USER if self.is_open and is_from_this_machine(scope) else None

    def revalidate(self, user: User) -> User | None:
        """Returns the user with their current rights; None if the session has ended."""
        if user.session is None:
            return user if self.is_open else None
        known = self.sessions.get(user.session)
        return None if known is None else _user(known)

    def record_use(self, user: User) -> None:
        """Records an action of a user, which keeps the session from expiring as idle."""
        if user.session is not None and (known := self.sessions.get(user.session)) is not None:
            known.acted_at = time.monotonic()

    async def log_in(self, presented: str, *, address: str) -> tuple[User, str] | None:
        """Opens a session with a key.

        Returns:
            The user and the session's id; None if the key is invalid or lacks the scope read.

        Raises:
            TooManyWrongKeys: this address has presented too many wrong keys.
            DatabaseUnavailable: the key is not of the environment, and PostgreSQL does not answer.
        """
        holder = await self._key_authenticator.holder_of(presented.strip(), address=address)
        # The monitor shows everything, so it requires the scope read.
        if holder is None or not allows(holder.scopes, Scope.READ):
            return None
        return await self._open(holder)

    def explain(self, presented: str) -> KeyHolder | RejectedKey:
        """Returns the holder of a key that was refused, or why it is invalid; for audit entries."""
        return self._key_authenticator.explain(presented.strip())

    async def sign_in(self, token: str) -> tuple[User, str] | None:
        """Opens a session with the token of a sign-in link, which is valid once.

        Returns:
            The user and the session's id; None if the token was used or has expired.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        with database_errors():
            async with self._database.begin() as session:
                ring = await read_key_ring(session)
                offered = await take_sign_in(session, hash_session_id(token), now=ring.as_of)
        if offered is None or not allows(scopes := self.sessions.scopes_of(offered, ring, token), Scope.READ):
            return None
        by_hash = None if offered.key_id is None else offered.proof
        return await self._open(KeyHolder(offered.key_name, scopes, offered.key_id, by_hash))

    async def log_out(self, user: User) -> None:
        """Ends a user's session in all windows and monitors; deferred until PostgreSQL is available."""
        if user.session is not None:
            await self.sessions.end(user.session)

    async def wait_until_revoked(self, user: User) -> None:
        """Returns when a user's session has ended."""
        # Polling keeps the session among those that `KnownSessions` refreshes.
        while self.revalidate(user) is not None:  # noqa: ASYNC110 -- see above
            await asyncio.sleep(REFRESH_SECONDS)

    async def _open(self, holder: KeyHolder) -> tuple[User, str]:
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
        return User.of(holder.name, holder.scopes, opened.id_hash), session_id


def _user(known: KnownSession) -> User:
    return User.of(known.stored.key_name, known.scopes, known.stored.id_hash)

"""Who may see the monitor: whoever logged in with a key."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.requests import HTTPConnection
from starlette.types import Scope as RequestScope

from api.key_check import EnvironmentKey, KeyCheck, bootstrap_key
from api.monitor.viewer import ON_THIS_MACHINE, Viewer
from api.security import is_from_this_machine
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope, allows
from flexiprice.services.api_keys import BOOTSTRAP, RecordedKey, list_api_keys
from flexiprice.services.key_ring import KeyHolder
from flexiprice.settings import Settings

COOKIE: Final = "flexiprice_monitor"
SESSION_SECONDS: Final = 7 * 24 * 3600
READ_KEY_HOLDER: Final = "read-only key"
"""The name of the holder of `FLEXIPRICE_MONITOR_READ_KEY`; no key of the database can have it."""
_MOST_LOGGED_OUT: Final = 10_000
# Session id and the key's name.
_SESSION: Final = TypeAdapter(tuple[str, str])


def environment_keys(settings: Settings) -> list[EnvironmentKey]:
    """The keys of the settings that open the monitor."""
    reader = KeyHolder(READ_KEY_HOLDER, (Scope.READ,))
    looking = [EnvironmentKey(reader, settings.monitor_read_key)] if settings.monitor_read_key else []
    return [*bootstrap_key(settings), *looking]


class Access:
    """Lets viewers in, and knows them again."""

    def __init__(
        self, settings: Settings, key_check: KeyCheck, sessions: async_sessionmaker[AsyncSession]
    ) -> None:
        self._keys: Sequence[RecordedKey] | None = None
        self._keys_read_at = datetime.min.replace(tzinfo=UTC)
        self._key_check = key_check
        self._sessions = sessions
        self.is_open = settings.open_loopback
        self._has_bootstrap_key = settings.api_key is not None
        self._has_read_key = settings.monitor_read_key is not None
        self._cookies = URLSafeTimedSerializer(_secret(settings), salt="session")
        self._logged_out: OrderedDict[str, None] = OrderedDict()

    def learn(self, keys: Sequence[RecordedKey], read_at: datetime) -> None:
        """Takes note of the keys of the database that were not revoked, unless it knows later news."""
        if read_at >= self._keys_read_at:
            self._keys, self._keys_read_at = keys, read_at

    def viewer_of(self, scope: RequestScope) -> Viewer | None:
        """Who is behind a request or a web socket; None where nobody was let in."""
        viewer = self._session(HTTPConnection(scope).cookies.get(COOKIE))
        return ON_THIS_MACHINE if viewer is None and self.is_open and is_from_this_machine(scope) else viewer

    def rights_now(self, viewer: Viewer) -> Viewer | None:
        """The viewer with the rights that they have by now; None where they are let in no longer."""
        if viewer.session_id is None:
            return viewer if self.is_open else None
        if viewer.session_id in self._logged_out:
            return None
        scopes = self._scopes_now(viewer)
        # The monitor shows everything, so that whoever may not look is not let in.
        if not allows(scopes, Scope.READ):
            return None
        return Viewer.of(viewer.name, scopes, viewer.session_id, viewer.logged_in_at)

    async def log_in(self, presented: str, *, address: str) -> Viewer | None:
        """Who a key belongs to; None where it is nobody's, or may not look.

        Raises:
            TooManyWrongKeys: of this address.
            DatabaseUnavailable: it is not the environment's, and the database cannot be asked.
        """
        now = datetime.now(UTC)
        holder = await self._key_check.holder_of(presented.strip(), address=address)
        if holder is None or not allows(holder.scopes, Scope.READ):
            return None
        if holder.key_id is not None:
            # It may have been made since they were last read, and its session would not be known.
            with database_errors():
                async with self._sessions() as session:
                    self.learn(await list_api_keys(session), now)
        return Viewer.of(holder.name, holder.scopes, uuid4().hex, now)

    def cookie(self, viewer: Viewer) -> str:
        """What a viewer's browser keeps to be known again; it holds no key."""
        return self._cookies.dumps([viewer.session_id, viewer.name])

    def log_out(self, viewer: Viewer) -> None:
        """Ends a viewer's session, in every window, though a copy of the cookie may be kept."""
        if viewer.session_id is not None:
            self._logged_out[viewer.session_id] = None
            if len(self._logged_out) > _MOST_LOGGED_OUT:
                self._logged_out.popitem(last=False)

    def _session(self, cookie: str | None) -> Viewer | None:
        if cookie is None:
            return None
        try:
            content, logged_in_at = self._cookies.loads(
                cookie, max_age=SESSION_SECONDS, return_timestamp=True
            )
            session_id, name = _SESSION.validate_python(content)
        except (BadSignature, ValidationError):
            return None
        return self.rights_now(Viewer.of(name, (), session_id, logged_in_at))

    def _scopes_now(self, viewer: Viewer) -> tuple[Scope, ...]:
        if viewer.name == BOOTSTRAP:
            # The cookie was signed with a secret made of this key: it is still the same.
            return (Scope.ADMIN,) if self._has_bootstrap_key else ()
        if viewer.name == READ_KEY_HOLDER:
            return (Scope.READ,) if self._has_read_key else ()
        for key in self._keys or ():
            if key.name == viewer.name and _opened(key, viewer.logged_in_at):
                return key.scopes
        return ()


def _is_in_force(key: RecordedKey) -> bool:
    return key.expires_at is None or key.expires_at > datetime.now(UTC)


def _opened(key: RecordedKey, logged_in_at: datetime) -> bool:
    """Whether it is the key that was presented then, with a secret that still opens."""
    # The cookie tells the second, and a key may be made, and used, within one.
    same = key.created_at.replace(microsecond=0) <= logged_in_at
    rotated = key.rotated_at is not None and logged_in_at < key.rotated_at.replace(microsecond=0)
    overlaps = key.previous_until is not None and datetime.now(UTC) < key.previous_until
    return same and _is_in_force(key) and (not rotated or overlaps)


def _secret(settings: Settings) -> str:
    keys = [key.get_secret_value() for key in (settings.api_key, settings.monitor_read_key) if key]
    if not keys:
        return secrets.token_hex(32)
    # Made of the keys, so that it is written nowhere, outlives a restart, and ends sessions with their key.
    return hmac.new("\0".join(keys).encode(), b"flexiprice monitor session", sha256).hexdigest()

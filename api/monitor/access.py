"""Who may see the monitor: whoever logged in with a key, or, where there is none, this machine."""

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
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope as RequestScope

from api.key_check import KeyCheck
from api.monitor.viewer import ON_THIS_MACHINE, Viewer
from api.security import is_from_this_machine, is_own_page
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope, allows
from flexiprice.services.api_keys import BOOTSTRAP, RecordedKey, list_api_keys
from flexiprice.settings import Settings

COOKIE: Final = "flexiprice_monitor"
SESSION_SECONDS: Final = 7 * 24 * 3600
READ_KEY_HOLDER: Final = "read-only key"
"""The name of the holder of `FLEXIPRICE_MONITOR_READ_KEY`; no key of the database can have it."""
_MOST_LOGGED_OUT: Final = 10_000
# Session id and the key's name.
_SESSION: Final = TypeAdapter(tuple[str, str])


class Access:
    """Lets viewers in, and knows them again."""

    def __init__(
        self, settings: Settings, key_check: KeyCheck, sessions: async_sessionmaker[AsyncSession]
    ) -> None:
        self._keys: Sequence[RecordedKey] | None = None
        self._keys_read_at = datetime.min.replace(tzinfo=UTC)
        self._key_check = key_check
        self._sessions = sessions
        self._has_bootstrap_key = settings.api_key is not None
        self._read_key = (
            _digest(settings.monitor_read_key.get_secret_value()) if settings.monitor_read_key else None
        )
        self._cookies = URLSafeTimedSerializer(_secret(settings), salt="session")
        self._logged_out: OrderedDict[str, None] = OrderedDict()

    @property
    def is_open(self) -> bool | None:
        """Whether there is no key at all, so that this machine is served without; None where nobody knows."""
        if self._has_bootstrap_key or self._read_key is not None:
            return False
        return None if self._keys is None else not any(_is_in_force(key) for key in self._keys)

    def learn(self, keys: Sequence[RecordedKey], read_at: datetime) -> None:
        """Takes note of the keys of the database that were not revoked, unless it knows later news."""
        if read_at >= self._keys_read_at:
            self._keys, self._keys_read_at = keys, read_at

    def viewer_of(self, scope: RequestScope) -> Viewer | None:
        """Who is behind a request or a web socket; None where nobody was let in."""
        if self.is_open:
            own = is_from_this_machine(scope) and is_own_page(Headers(scope=scope))
            return ON_THIS_MACHINE if own else None
        return self._session(HTTPConnection(scope).cookies.get(COOKIE))

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

    async def log_in(self, presented: str) -> Viewer | None:
        """Who a key belongs to; None where it is nobody's.

        Raises:
            DatabaseUnavailable: it is not the environment's, and the database cannot be asked.
        """
        presented = presented.strip()
        now = datetime.now(UTC)
        if self._read_key is not None and hmac.compare_digest(self._read_key, _digest(presented)):
            return Viewer.of(READ_KEY_HOLDER, (Scope.READ,), uuid4().hex, now)
        holder = await self._key_check.holder_of(presented)
        if holder is None or not allows(holder.scopes, Scope.READ):
            return None
        if holder.name != BOOTSTRAP:
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
            return (Scope.READ,) if self._read_key is not None else ()
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


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogatepass")).digest()


def _secret(settings: Settings) -> str:
    keys = [key.get_secret_value() for key in (settings.api_key, settings.monitor_read_key) if key]
    if not keys:
        return secrets.token_hex(32)
    # Made of the keys, so that it is written nowhere, outlives a restart, and ends sessions with their key.
    return hmac.new("\0".join(keys).encode(), b"flexiprice monitor session", sha256).hexdigest()

"""Who may see the monitor: whoever logged in with a key, or, where none is set, this machine."""

import hmac
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Final
from uuid import uuid4

from itsdangerous import BadSignature, URLSafeTimedSerializer
from pydantic import SecretStr, TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from api.monitor.viewer import EVERYTHING, ON_THIS_MACHINE, Right, Viewer
from api.security import is_from_this_machine, is_own_page
from flexiprice.settings import Settings

COOKIE: Final = "flexiprice_monitor"
SESSION_SECONDS: Final = 7 * 24 * 3600
_TRIES_PER_MINUTE: Final = 5
_MOST_ADDRESSES: Final = 10_000
_MOST_LOGGED_OUT: Final = 10_000
_SESSION: Final = TypeAdapter(tuple[str, str, frozenset[Right]])


class Access:
    """Lets viewers in, and knows them again."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [
            (_digest(key.get_secret_value()), name, rights)
            for key, name, rights in (
                (settings.api_key, "API key", EVERYTHING),
                (settings.monitor_read_key, "read-only key", frozenset[Right]()),
            )
            if key is not None
        ]
        self._cookies = URLSafeTimedSerializer(_secret(settings), salt="session")
        self._logged_out: OrderedDict[str, None] = OrderedDict()
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether no key is set, so that only this machine is served, without a login."""
        return not self._keys

    def viewer_of(self, scope: Scope) -> Viewer | None:
        """Who is behind a request or a web socket; None where nobody was let in."""
        headers = Headers(scope=scope)
        if self.is_open:
            return ON_THIS_MACHINE if is_from_this_machine(scope) and is_own_page(headers) else None
        return self._session(HTTPConnection(scope).cookies.get(COOKIE))

    def is_still_in(self, viewer: Viewer) -> bool:
        """Whether a viewer has not logged out since, in whichever window."""
        return viewer.session_id not in self._logged_out

    async def log_in(self, presented: str) -> Viewer | None:
        """Who a key belongs to; None where it is nobody's."""
        offered = _digest(presented.strip())
        # All of them are compared, so that the time it takes does not tell which was close.
        found = [
            Viewer(name=name, rights=rights, session_id=uuid4().hex)
            for digest, name, rights in self._keys
            if hmac.compare_digest(digest, offered)
        ]
        return found[0] if found else None

    def cookie(self, viewer: Viewer) -> str:
        """What a viewer's browser keeps to be known again; it holds no key."""
        return self._cookies.dumps([viewer.session_id, viewer.name, sorted(viewer.rights)])

    def log_out(self, viewer: Viewer) -> None:
        """Ends a viewer's session, in every window, though a copy of the cookie may be kept."""
        if viewer.session_id is not None:
            self._logged_out[viewer.session_id] = None
            if len(self._logged_out) > _MOST_LOGGED_OUT:
                self._logged_out.popitem(last=False)

    def seconds_to_wait(self, address: str) -> int:
        """How long an address must wait before it may try a key again; 0 where it may now."""
        now = time.monotonic()
        tries = [tried for tried in self._tries.get(address, []) if now - tried < 60]
        return 0 if len(tries) < _TRIES_PER_MINUTE else max(1, round(60 - (now - tries[0])))

    def note_failure(self, address: str) -> None:
        """Counts a wrong key against an address."""
        now = time.monotonic()
        recent = [tried for tried in self._tries.pop(address, []) if now - tried < 60]
        self._tries[address] = [*recent, now][-_TRIES_PER_MINUTE:]
        if len(self._tries) > _MOST_ADDRESSES:
            self._tries.popitem(last=False)

    def _session(self, cookie: str | None) -> Viewer | None:
        if cookie is None:
            return None
        try:
            content: object = self._cookies.loads(cookie, max_age=SESSION_SECONDS)
            session_id, name, rights = _SESSION.validate_python(content)
        except (BadSignature, ValidationError):
            return None
        viewer = Viewer(name=name, rights=rights, session_id=session_id)
        return viewer if self.is_still_in(viewer) else None


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogateescape")).digest()


def _secret(settings: Settings) -> str:
    # Made of the keys, so that it is written nowhere, outlives a restart, and ends sessions with their key.
    keys: tuple[SecretStr | None, ...] = (settings.api_key, settings.monitor_read_key)
    parts = [key.get_secret_value() if key else "" for key in keys]
    return hmac.new("\0".join(parts).encode(), b"flexiprice monitor session", sha256).hexdigest()

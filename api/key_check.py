"""Whose key it is that a client presents: the environment's first, then those of the database."""

import hmac
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.database_clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import Scope
from flexiprice.errors import DatabaseUnavailable
from flexiprice.services.api_keys import BOOTSTRAP, KeyHolder, any_key_in_force, can_be_key, find_key_holder

REMEMBERED_SECONDS: Final = 5.0
"""How long an answer of the database holds, and so how long a revoked key may still open."""
_MOST_REMEMBERED: Final = 1000


class KeyCheck:
    """Knows the holders of keys; one for each process, shared by all that ask for keys."""

    def __init__(self, bootstrap_key: SecretStr | None, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._bootstrap = _digest(bootstrap_key.get_secret_value()) if bootstrap_key else None
        self._sessions = sessions
        # By digest, so that no key of a client stays in memory longer than its request.
        self._holders: OrderedDict[bytes, tuple[float, KeyHolder]] = OrderedDict()
        self._any_key: tuple[float, bool] | None = None

    async def holder_of(self, presented: str) -> KeyHolder | None:
        """Whose key this is; None where it opens nothing.

        Args:
            presented: what the client sent, of whatever form.

        Raises:
            DatabaseUnavailable: it is not the environment's, and the database cannot be asked.
        """
        digest = _digest(presented)
        # Digests are of one length, so that comparing them does not even tell the length of the key.
        if self._bootstrap is not None and hmac.compare_digest(self._bootstrap, digest):
            return KeyHolder(BOOTSTRAP, (Scope.ADMIN,))
        remembered = self._holders.get(digest)
        if remembered is not None and time.monotonic() - remembered[0] < REMEMBERED_SECONDS:
            return remembered[1]
        if not can_be_key(presented):
            return None
        with database_errors():
            async with self._sessions.begin() as session:
                holder = await find_key_holder(session, presented, now=await database_now(session))
        self._holders.pop(digest, None)
        if holder is not None:
            self._holders[digest] = (time.monotonic(), holder)
            if len(self._holders) > _MOST_REMEMBERED:
                self._holders.popitem(last=False)
        return holder

    async def is_key_needed(self) -> bool:
        """Whether there is any key, so that a client without one is not served, wherever it is.

        Raises:
            DatabaseUnavailable: the database cannot be asked, and never could.
        """
        if self._bootstrap is not None:
            return True
        known = self._any_key
        if known is not None and time.monotonic() - known[0] < REMEMBERED_SECONDS:
            return known[1]
        try:
            with database_errors():
                async with self._sessions() as session:
                    needed = await any_key_in_force(session, now=await database_now(session))
        except DatabaseUnavailable:
            # Keys come and go through the database: while it is away, nothing changes that could be known.
            if known is None:
                raise
            return known[1]
        self._any_key = (time.monotonic(), needed)
        return needed


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogatepass")).digest()

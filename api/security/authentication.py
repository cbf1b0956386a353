"""Whose key it is that a client presents: one of the environment's, or one of the database's."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from api.security.rate_limit import FailedKeyLimiter
from flexiprice.access.api_keys import BOOTSTRAP
from flexiprice.access.key_ring import (
    KeyHolder,
    KeyRing,
    UselessKey,
    looks_like_ours,
    note_key_use,
    read_key_ring,
)
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import KeyFault, Scope
from flexiprice.errors import DatabaseUnavailable
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger

REMEMBERED_SECONDS: Final = 5.0
"""How long what the database says of keys holds, and so how long a revoked key may still open."""
# As above, for what goes on after it was opened, which is asked about again and again.
_LASTING_SECONDS: Final = 2.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """A key that stands in the server's settings."""

    holder: KeyHolder
    key: SecretStr = field(repr=False)


def bootstrap_key(settings: Settings) -> list[EnvironmentKey]:
    """The key `FLEXIPRICE_API_KEY`, where it is set."""
    holder = KeyHolder(BOOTSTRAP, (Scope.ADMIN,))
    return [EnvironmentKey(holder, settings.api_key)] if settings.api_key else []


class KeyAuthenticator:
    """Knows the holders of keys; one for each process, shared by all that ask for keys.

    Wrong keys are counted by address, and beyond the limit none of the address is looked at any more, but
    those that have the form of ours: their secrets are 192 random bits, which nobody guesses however often
    they may try. So a neighbour who guesses, behind the same proxy, locks no holder of such a key out. What
    the operator chose, a key of the environment, may be guessable: there a good one waits as wrong ones do.
    """

    def __init__(
        self,
        environment: list[EnvironmentKey],
        sessions: async_sessionmaker[AsyncSession],
        failed_keys: FailedKeyLimiter,
    ) -> None:
        self._environment: Mapping[bytes, KeyHolder] = {
            _digest(one.key.get_secret_value()): one.holder for one in environment
        }
        self._sessions = sessions
        self._failed_keys = failed_keys
        self._ring: KeyRing | None = None
        self._ring_read_at = float("-inf")
        # Whose use was noted since the keys were read.
        self._noted: set[str] = set()
        self._reading = asyncio.Lock()

    async def holder_of(self, presented: str, *, address: str) -> KeyHolder | None:
        """Whose key this is; None where it opens nothing, which counts as a guess.

        Args:
            presented: what the client sent, of whatever form.
            address: the client's.

        Raises:
            TooManyWrongKeys: of this address, so that the key was not looked at.
            DatabaseUnavailable: it has the form of the database's keys, which cannot be asked.
        """
        ours = looks_like_ours(presented)
        if not ours:
            # From here to the count nothing is waited for, so no guess slips in between.
            self._failed_keys.require_patience(address)
        holder = self._of_environment(presented)
        if holder is None and ours:
            holder = await self._of_database(presented)
        if holder is None:
            await self._failed_keys.note(address)
        return holder

    def explain(self, presented: str) -> KeyHolder | UselessKey:
        """Whose key one is that was just looked at, or why it is nobody's.

        It is for the audit, never for whoever presented the key.
        """
        # To look at a key of ours has read the ring; no other is in it.
        if self._ring is None or not looks_like_ours(presented):
            return self._of_environment(presented) or UselessKey(KeyFault.UNKNOWN)
        return self._ring.explain(presented, now=self._now(self._ring))

    async def ring(self, *, newer_than: float | None = None) -> KeyRing:
        """The keys of the database, as they were some seconds ago at most.

        Args:
            newer_than: an instant of the monotonic clock that it must have been read after.

        Raises:
            DatabaseUnavailable: the database cannot be asked.
        """
        oldest = time.monotonic() - REMEMBERED_SECONDS if newer_than is None else newer_than
        if self._ring is not None and self._ring_read_at > oldest:
            return self._ring
        async with self._reading:
            # Another may have read it while this one waited for its turn.
            if self._ring is None or self._ring_read_at <= oldest:
                began_at = time.monotonic()
                with database_errors():
                    async with self._sessions() as session:
                        self._ring = await read_key_ring(session)
                self._ring_read_at = began_at
                self._noted.clear()
        return self._ring

    async def still_opens(self, holder: KeyHolder) -> bool:
        """Whether a key that opened something that lasts would still open it, as of some seconds ago."""
        if holder.key_id is None or holder.secret_hash is None:
            return True
        try:
            ring = await self.ring(newer_than=time.monotonic() - _LASTING_SECONDS)
        except DatabaseUnavailable:
            # Keys end through the database: while it is away, nothing changes that could be known.
            return True
        now = ring.holder_by_hash(holder.key_id, holder.secret_hash, now=self._now(ring))
        return now is not None and now.scopes == holder.scopes

    def _now(self, ring: KeyRing) -> datetime:
        # Keys begin and end by the database's clock, whatever this machine's says.
        return ring.as_of + timedelta(seconds=time.monotonic() - self._ring_read_at)

    def _of_environment(self, presented: str) -> KeyHolder | None:
        digest = _digest(presented)
        found = None
        # Digests are of one length, so that comparing them does not even tell the length of the key.
        for known, holder in self._environment.items():
            if hmac.compare_digest(known, digest):
                found = holder
        return found

    async def _of_database(self, presented: str) -> KeyHolder | None:
        asked_at = time.monotonic()
        ring = await self.ring()
        if not ring.has(presented):
            # It may have been made since. Made-up ids cause one read after another, never two at once.
            ring = await self.ring(newer_than=asked_at)
        now = self._now(ring)
        holder = ring.holder_of(presented, now=now)
        if holder is None or holder.key_id is None:
            return None
        if ring.is_use_to_be_noted(holder.key_id, now=now) and holder.key_id not in self._noted:
            self._noted.add(holder.key_id)
            await self._note_use(holder.key_id, now)
        return holder

    async def _note_use(self, key_id: str, now: datetime) -> None:
        try:
            with database_errors():
                async with self._sessions.begin() as session:
                    await note_key_use(session, key_id, now=now)
        except DatabaseUnavailable as error:
            # The key is good; when it was used last is not worth refusing it.
            _log.warning("key_use_not_noted", key_id=key_id, reason=error.message)


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogatepass")).digest()

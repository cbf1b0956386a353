"""Authenticates API keys: those of the environment, and those of the database."""

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
    RejectedKey,
    has_key_format,
    read_key_ring,
    record_key_use,
)
from flexiprice.db.engine import database_errors
from flexiprice.domain.access import KeyFault, Scope
from flexiprice.errors import DatabaseUnavailable
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger

REMEMBERED_SECONDS: Final = 5.0
"""Lifetime of the cached keys, and so the time for which a revoked key may still be accepted."""
# The same for long-lived streams, which check their key repeatedly.
_STREAM_CACHE_SECONDS: Final = 2.0

_LOGGER = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """A key from the settings."""

    holder: KeyHolder
    key: SecretStr = field(repr=False)


def bootstrap_key(settings: Settings) -> list[EnvironmentKey]:
    """Returns the key `FLEXIPRICE_API_KEY`, if it is set."""
    holder = KeyHolder(BOOTSTRAP, (Scope.ADMIN,))
    return [EnvironmentKey(holder, settings.api_key)] if settings.api_key else []


class KeyAuthenticator:
    """Finds the holders of keys; one instance per process.

    Wrong keys are counted per address. Above the limit, keys of the address are rejected unread, except those
    in the form of database keys, whose 192 random bits cannot be guessed. So an attacker behind the same
    proxy locks no holder of such a key out. A key of the environment, which the operator chose, may be
    guessable: above the limit it is rejected even if it is right.
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
        # Keys whose use was recorded since the keys were read.
        self._recorded: set[str] = set()
        self._reading = asyncio.Lock()

    async def holder_of(self, presented: str, *, address: str) -> KeyHolder | None:
        """Returns the holder of a key; None for a wrong key, which is counted.

        Args:
            presented: the key that the client sent, in any form.
            address: address of the client.

        Raises:
            TooManyWrongKeys: too many came from this address, so the key was not checked.
            DatabaseUnavailable: the key has the form of database keys, and the database is unavailable.
        """
        has_database_form = has_key_format(presented)
        if not has_database_form:
            # No await from here to the count, so that no concurrent guess slips in between.
            self._failed_keys.require_below_limit(address)
        holder = self._of_environment(presented)
        if holder is None and has_database_form:
            holder = await self._of_database(presented)
        if holder is None:
            await self._failed_keys.record(address)
        return holder

    def explain(self, presented: str) -> KeyHolder | RejectedKey:
        """Whose key one is that was just looked at, or why it is nobody's.

        It is for the audit, never for the client.
        """
        # To look at a key of ours has read the ring; no other is in it.
        if self._ring is None or not has_key_format(presented):
            return self._of_environment(presented) or RejectedKey(KeyFault.UNKNOWN)
        return self._ring.explain(presented, now=self._now(self._ring))

    async def ring(self, *, newer_than: float | None = None) -> KeyRing:
        """Returns the keys of the database, at most `REMEMBERED_SECONDS` old.

        Args:
            newer_than: instant of the monotonic clock after which they must have been read.

        Raises:
            DatabaseUnavailable: the database is unavailable.
        """
        oldest = time.monotonic() - REMEMBERED_SECONDS if newer_than is None else newer_than
        if self._ring is not None and self._ring_read_at > oldest:
            return self._ring
        async with self._reading:
            # Another task may have read the keys while this one waited for the lock.
            if self._ring is None or self._ring_read_at <= oldest:
                began_at = time.monotonic()
                with database_errors():
                    async with self._sessions() as session:
                        self._ring = await read_key_ring(session)
                self._ring_read_at = began_at
                self._recorded.clear()
        return self._ring

    async def still_opens(self, holder: KeyHolder) -> bool:
        """Whether the key of a long-lived stream is still valid with the same scopes, as of seconds ago."""
        if holder.key_id is None or holder.secret_hash is None:
            return True
        try:
            ring = await self.ring(newer_than=time.monotonic() - _STREAM_CACHE_SECONDS)
        except DatabaseUnavailable:
            # Keys are revoked in the database, so nothing changes while it is unavailable.
            return True
        now = ring.holder_by_hash(holder.key_id, holder.secret_hash, now=self._now(ring))
        return now is not None and now.scopes == holder.scopes

    def _now(self, ring: KeyRing) -> datetime:
        # Validity is judged by the database's clock, not this machine's.
        return ring.as_of + timedelta(seconds=time.monotonic() - self._ring_read_at)

    def _of_environment(self, presented: str) -> KeyHolder | None:
        digest = _digest(presented)
        found = None
        # Digests have one length, so that the comparison does not leak the length of the key.
        for known, holder in self._environment.items():
            if hmac.compare_digest(known, digest):
                found = holder
        return found

    async def _of_database(self, presented: str) -> KeyHolder | None:
        began_at = time.monotonic()
        ring = await self.ring()
        if not ring.has(presented):
            # The key may be newer than the cache. Invented ids cause sequential reads, never concurrent ones.
            ring = await self.ring(newer_than=began_at)
        now = self._now(ring)
        holder = ring.holder_of(presented, now=now)
        if holder is None or holder.key_id is None:
            return None
        if ring.is_use_unrecorded(holder.key_id, now=now) and holder.key_id not in self._recorded:
            self._recorded.add(holder.key_id)
            await self._record_use(holder.key_id, now)
        return holder

    async def _record_use(self, key_id: str, now: datetime) -> None:
        try:
            with database_errors():
                async with self._sessions.begin() as session:
                    await record_key_use(session, key_id, now=now)
        except DatabaseUnavailable as error:
            # The key is valid; a missing record of its use must not reject it.
            _LOGGER.warning("key_use_not_recorded", key_id=key_id, reason=error.message)


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogatepass")).digest()

"""All keys that may open something, read at once, so that whose a key is can be said without asking again."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.clock import database_now
from flexiprice.db.operations_tables import ApiKey
from flexiprice.domain.access import KeyFault, Scope, scope_set

_KEY: Final = re.compile(r"fp_(?P<id>[0-9a-f]{12})_(?P<secret>[0-9a-f]{48})", re.ASCII)
# Nobody needs to know the second of a key's last use, and a write per request would cost more than it tells.
_USE_RECORDED_EVERY: Final = timedelta(minutes=1)
# Later, a revoked key is unknown: the ring is read every few seconds and must not grow for ever.
_REVOKED_IS_KNOWN_FOR: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who a key speaks for.

    Attributes:
        name: the key's, under which its changes are written down.
        scopes: what it may do.
        key_id: of a key of the database; None for one of the environment.
        secret_hash: of the secret of the database's key that it was opened with.
    """

    name: str
    scopes: tuple[Scope, ...]
    key_id: str | None = field(default=None, compare=False)
    secret_hash: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RejectedKey:
    """A key that opens nothing, for the audit.

    Attributes:
        fault: why it does not.
        name: of the key whose id it has, or once had; None where it names none.
        since: when it expired or was revoked.
    """

    fault: KeyFault
    name: str | None = None
    since: datetime | None = None

    @property
    def details(self) -> Mapping[str, object]:
        """For programs that read the audit."""
        return {"fault": self.fault.value} | ({} if self.name is None else {"key": self.name})

    def __str__(self) -> str:
        since = "" if self.since is None else f" on {self.since:%Y-%m-%d at %H:%M} UTC"
        return {
            KeyFault.MISSING: "no key was sent",
            KeyFault.UNKNOWN: "nobody has this key",
            KeyFault.WRONG: f"not the secret that the key {self.name} has now",
            KeyFault.REPLACED: f"an old secret of the key {self.name}, which was rotated",
            KeyFault.EXPIRED: f"the key {self.name} expired{since}",
            KeyFault.REVOKED: f"the key {self.name} was revoked{since}",
        }[self.fault]


@dataclass(frozen=True, slots=True)
class _StoredKey:
    holder: KeyHolder
    secret_hash: bytes = field(repr=False)
    previous_secret_hash: bytes | None = field(repr=False)
    previous_until: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def fault_of(self, secret_hash: bytes, now: datetime) -> RejectedKey | None:
        """Why a secret does not open; None where it does."""
        name = self.holder.name
        is_new = hmac.compare_digest(self.secret_hash, secret_hash)
        is_old = False
        if self.previous_secret_hash is not None and self.previous_until is not None:
            is_old = hmac.compare_digest(self.previous_secret_hash, secret_hash)
            is_new |= is_old and now < self.previous_until
        if not (is_new or is_old):
            return RejectedKey(KeyFault.WRONG, name)
        if self.revoked_at is not None:
            return RejectedKey(KeyFault.REVOKED, name, self.revoked_at)
        if self.expires_at is not None and now >= self.expires_at:
            return RejectedKey(KeyFault.EXPIRED, name, self.expires_at)
        return None if is_new else RejectedKey(KeyFault.REPLACED, name, self.previous_until)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of the database, as they were at one instant of its clock."""

    as_of: datetime
    _keys: Mapping[str, _StoredKey] = field(repr=False)

    def has(self, presented: str) -> bool:
        """Whether there is a key with the id that a presented one names; its secret may be wrong."""
        parts = _KEY.fullmatch(presented)
        return parts is not None and parts["id"] in self._keys

    def holder_of(self, presented: str, *, now: datetime) -> KeyHolder | None:
        """Whose key this is; None for one that is unknown, wrong or expired."""
        parts = parts_of(presented)
        return None if parts is None else self.holder_by_hash(*parts, now=now)

    def holder_by_hash(self, key_id: str, secret_hash: bytes, *, now: datetime) -> KeyHolder | None:
        """Whose key it is, by the hash of its secret."""
        stored = self._keys.get(key_id)
        if stored is None or stored.fault_of(secret_hash, now) is not None:
            return None
        return replace(stored.holder, secret_hash=secret_hash)

    def explain(self, presented: str, *, now: datetime) -> KeyHolder | RejectedKey:
        """Whose key this is, or why it is nobody's."""
        key_id, secret_hash = parts_of(presented) or ("", b"")
        stored = self._keys.get(key_id)
        if stored is None:
            return RejectedKey(KeyFault.UNKNOWN)
        return stored.fault_of(secret_hash, now) or stored.holder

    def is_use_unrecorded(self, key_id: str, *, now: datetime) -> bool:
        """Whether the last use that was noted of a key is a while ago."""
        noted_at = self._keys[key_id].last_used_at
        return noted_at is None or now - noted_at >= _USE_RECORDED_EVERY


def has_key_format(presented: str) -> bool:
    """Whether a key has the form of those that `create_api_key` makes, whose secret nobody can guess."""
    return _KEY.fullmatch(presented) is not None


def parts_of(presented: str) -> tuple[str, bytes] | None:
    """The id that a presented key names and the hash of its secret; None where it has another form."""
    parts = _KEY.fullmatch(presented)
    return None if parts is None else (parts["id"], hash_secret(parts["secret"]))


def hash_secret(secret: str) -> bytes:
    """The stored digest of a secret."""
    # A slow hash makes guessable passwords dear to guess. 192 random bits cannot be guessed at any speed,
    # and a slow hash would only make every request slow.
    return sha256(secret.encode()).digest()


async def read_key_ring(session: AsyncSession) -> KeyRing:
    """Reads the keys, those that were revoked lately included."""
    is_known = or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > func.now() - _REVOKED_IS_KNOWN_FOR)
    rows = await session.scalars(select(ApiKey).where(is_known))
    return KeyRing(
        await database_now(session),
        {
            row.id: _StoredKey(
                holder=KeyHolder(row.name, scope_set(map(Scope, row.scopes)), row.id),
                secret_hash=row.secret_hash,
                previous_secret_hash=row.previous_secret_hash,
                previous_until=row.previous_until,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
                revoked_at=row.revoked_at,
            )
            for row in rows
        },
    )


async def record_key_use(session: AsyncSession, key_id: str, *, now: datetime) -> None:
    """Notes that a key was used, to the minute."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - _USE_RECORDED_EVERY)
    await session.execute(
        update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now),
        execution_options={"synchronize_session": False},
    )

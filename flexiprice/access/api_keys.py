"""API keys: made, listed, rotated, revoked. Whose a presented one is says `key_ring`."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.key_ring import hash_secret
from flexiprice.catalog.constraints import unique_violation_as
from flexiprice.db.audit_notes import note_change
from flexiprice.db.operations_tables import ApiKey
from flexiprice.domain.access import Scope, scope_set
from flexiprice.domain.audit import ANONYMOUS, MANY, changes_between
from flexiprice.errors import Conflict, InvalidInput, NotFound

BOOTSTRAP: Final = "bootstrap"
"""The name under which the holder of the environment's key acts; no other key may have it."""
# Names of actors in the audit: the environment's key, and clients without a key.
_RESERVED: Final = (BOOTSTRAP, ANONYMOUS, MANY)
LONGEST_OVERLAP: Final = timedelta(days=30)
"""For which a rotated key's old secret may open at most."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}", re.ASCII)

_AUDITED: Final = ("scopes", "expires_at", "previous_until", "rotated_at", "revoked_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedKey:
    """A key without its secret.

    Attributes:
        key_id: the part of the key that is no secret: it stands after `fp_`.
        previous_until: until when the secret before the last rotation opens too.
        last_used_at: to the minute.
    """

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    rotated_at: datetime | None
    previous_until: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key with its secret, which is told this once.

    Attributes:
        record: what is known of it from now on.
        key: what a client sends: `fp_<id>_<secret>`.
    """

    record: RecordedKey
    key: str = field(repr=False)


async def create_api_key(
    session: AsyncSession,
    *,
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Makes a key.

    Args:
        session: in a transaction.
        name: of letters, digits and `._@-`, at most 100; one in use may not be given again.
        scopes: what its holder may do; at least one.
        now: when.
        expires_at: from when on it opens nothing any more.

    Raises:
        InvalidInput: the name cannot be used, there is no scope, or the key would have expired already.
        Conflict: a key of this name is in use.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise InvalidInput(
            f"name: must be 1 to 100 letters, digits or ._@- and start with one of the former, and not be "
            f"{', '.join(_RESERVED)}: so the audit calls the environment's key and clients without one",
            field="name",
        )
    granted = scope_set(scopes)
    if not granted:
        raise InvalidInput("scopes: name at least one", field="scopes")
    _check_expiry(expires_at, now)
    secret = _new_secret()
    row = ApiKey(
        id=secrets.token_hex(6),
        name=name,
        scopes=list(granted),
        secret_hash=hash_secret(secret),
        created_at=now,
        expires_at=expires_at,
    )
    with unique_violation_as(f"a key named {name!r} is in use: rotate it, revoke it, or take another name"):
        session.add(row)
        await session.flush()
    note_change(session, name, changes_between(None, _record(row), _AUDITED))
    return _issued(row, secret)


async def list_api_keys(session: AsyncSession, *, with_revoked: bool = False) -> tuple[RecordedKey, ...]:
    """The keys by name, those that have expired included."""
    query = select(ApiKey).order_by(ApiKey.name, ApiKey.created_at)
    if not with_revoked:
        query = query.where(ApiKey.revoked_at.is_(None))
    return tuple(_record(row) for row in await session.scalars(query))


async def rotate_api_key(
    session: AsyncSession,
    name: str,
    *,
    now: datetime,
    overlap: timedelta = timedelta(0),
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Gives a key a new secret; name, id and scopes stay.

    Args:
        session: in a transaction.
        name: of the key.
        now: when.
        overlap: how long the old secret opens too, at most `LONGEST_OVERLAP`.
        expires_at: in place of the expiry that it has; None keeps that.

    Raises:
        InvalidInput: the overlap is too long, or the new expiry has passed.
        NotFound: no key of this name is in use.
        Conflict: the key has expired, and no new expiry is given.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput(f"overlap: must be 0 to {LONGEST_OVERLAP.days} days", field="overlap")
    _check_expiry(expires_at, now)
    row = await _get_in_use(session, name)
    before = _record(row)
    expires_at = expires_at or row.expires_at
    if expires_at is not None and expires_at <= now:
        raise Conflict(f"the key {name!r} has expired: give it a new expiry with the rotation")
    secret = _new_secret()
    row.expires_at = expires_at
    row.previous_secret_hash = row.secret_hash if overlap else None
    row.previous_until = now + overlap if overlap else None
    row.secret_hash = hash_secret(secret)
    row.rotated_at = now
    await session.flush()
    note_change(session, name, changes_between(before, _record(row), _AUDITED))
    return _issued(row, secret)


async def revoke_api_key(session: AsyncSession, name: str, *, now: datetime) -> RecordedKey:
    """Ends a key for good; its name may be given to another.

    Raises:
        NotFound: no key of this name is in use.
    """
    row = await _get_in_use(session, name)
    before = _record(row)
    row.revoked_at = now
    await session.flush()
    revoked = _record(row)
    note_change(session, name, changes_between(before, revoked, _AUDITED))
    return revoked


def _new_secret() -> str:
    return secrets.token_hex(24)


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at: must lie in the future", field="expires_at")


async def _get_in_use(session: AsyncSession, name: str) -> ApiKey:
    query = select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None)).with_for_update()
    row = await session.scalar(query)
    if row is None:
        raise NotFound(f"no key named {name!r} is in use; `flexiprice keys list` shows those that are")
    return row


def _record(row: ApiKey) -> RecordedKey:
    return RecordedKey(
        key_id=row.id,
        name=row.name,
        scopes=_scopes(row),
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        previous_until=row.previous_until,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _scopes(row: ApiKey) -> tuple[Scope, ...]:
    return scope_set(map(Scope, row.scopes))


def _issued(row: ApiKey, secret: str) -> IssuedKey:
    return IssuedKey(record=_record(row), key=f"fp_{row.id}_{secret}")

"""Sessions of the monitor: who has signed in, known by all monitors, until it ends for all of them.

A session's id is 256 random bits that only the browser keeps; the database has their hash. So nothing is
signed, there is no secret from which sessions could be made, and what is ended stays ended.
"""

import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from pydantic import SecretStr
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import MonitorSession

LONGEST: Final = timedelta(days=7)
"""After which a session ends, however much it is used."""
# Nobody needs to know the second of the last use.
_USE_RECORDED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session, as the database knows it.

    Attributes:
        id_hash: of the id, which only the browser has.
        key_name: of the key that opened it.
        key_id: of that key, where it is one of the database; None for a key of the environment.
        proof: that the key is still the same: the hash of its secret, or for a key of the environment what
            `environment_proof` says.
        created_at: when it began.
    """

    id_hash: bytes
    key_name: str
    key_id: str | None
    proof: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SessionUse:
    """Who has a session, since when, and up to when it was used, to the minute."""

    key_name: str
    created_at: datetime
    seen_at: datetime


def new_session_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_urlsafe(32)


def hash_session_id(session_id: str) -> bytes:
    """The stored digest of an id."""
    return sha256(session_id.encode(errors="surrogatepass")).digest()


def environment_proof(key: SecretStr, session_id: str) -> bytes:
    """The mark of a session that was opened with a key of the environment.

    The key may be guessable, so nothing is kept that a guess could be compared with: to compute this takes
    the session's id too, which only the browser has.
    """
    return hmac.digest(session_id.encode(errors="surrogatepass"), key.get_secret_value().encode(), "sha256")


async def store_session(session: AsyncSession, opened: StoredSession, *, idle: timedelta) -> None:
    """Writes a session down, and forgets those that are over."""
    now = opened.created_at
    await session.execute(delete(MonitorSession).where(_is_over(now, idle)))
    row = insert(MonitorSession).values(
        id_hash=opened.id_hash,
        key_name=opened.key_name,
        key_id=opened.key_id,
        proof=opened.proof,
        created_at=now,
        seen_at=now,
    )
    await session.execute(row.on_conflict_do_nothing())


async def offer_sign_in(
    session: AsyncSession, *, key_name: str, key: SecretStr, now: datetime, until: datetime
) -> str:
    """A token that signs in once, as the holder of a key of the environment: `take_sign_in` takes it.

    Args:
        session: in a transaction.
        key_name: under which the holder acts.
        key: of the environment.
        now: when.
        until: from when on it signs nobody in any more.
    """
    token = new_session_id()
    session.add(
        MonitorSession(
            id_hash=hash_session_id(token),
            key_name=key_name,
            key_id=None,
            proof=environment_proof(key, token),
            created_at=now,
            seen_at=now,
            sign_in_until=until,
        )
    )
    await session.flush()
    return token


async def take_sign_in(session: AsyncSession, id_hash: bytes, *, now: datetime) -> StoredSession | None:
    """Consumes a sign-in token and returns its session; None where it was used or has expired."""
    taken = (
        delete(MonitorSession)
        .where(MonitorSession.id_hash == id_hash, MonitorSession.sign_in_until > now)
        .returning(MonitorSession)
    )
    row = await session.scalar(taken)
    return None if row is None else _stored(row)


async def find_sessions(
    session: AsyncSession, id_hashes: Collection[bytes], *, now: datetime, idle: timedelta
) -> Sequence[StoredSession]:
    """Those of the sessions that are not over."""
    query = select(MonitorSession).where(
        MonitorSession.id_hash.in_(id_hashes), MonitorSession.sign_in_until.is_(None), ~_is_over(now, idle)
    )
    return [_stored(row) for row in await session.scalars(query)]


async def record_session_use(session: AsyncSession, id_hashes: Collection[bytes], *, now: datetime) -> None:
    """Records the use of sessions, to the minute, which keeps them from expiring as idle."""
    await session.execute(
        update(MonitorSession)
        .where(MonitorSession.id_hash.in_(id_hashes), MonitorSession.seen_at < now - _USE_RECORDED_EVERY)
        .values(seen_at=now),
        execution_options={"synchronize_session": False},
    )


async def list_sessions(session: AsyncSession, *, now: datetime, idle: timedelta) -> Sequence[SessionUse]:
    """The sessions that are not over, the latest used first."""
    query = (
        select(MonitorSession)
        .where(MonitorSession.sign_in_until.is_(None), ~_is_over(now, idle))
        .order_by(MonitorSession.seen_at.desc(), MonitorSession.created_at)
    )
    rows = await session.scalars(query)
    return [SessionUse(row.key_name, row.created_at, row.seen_at) for row in rows]


async def end_sessions(
    session: AsyncSession, *, id_hashes: Collection[bytes] | None = None, key_name: str | None = None
) -> int:
    """Ends sessions, and addresses that sign in: all, those with these ids, or those of one key.

    Returns:
        How many there were.
    """
    ending = delete(MonitorSession)
    if id_hashes is not None:
        ending = ending.where(MonitorSession.id_hash.in_(id_hashes))
    if key_name is not None:
        ending = ending.where(MonitorSession.key_name == key_name)
    ended = await session.scalars(ending.returning(MonitorSession.id_hash))
    return len(ended.all())


def _is_over(now: datetime, idle: timedelta) -> ColumnElement[bool]:
    return or_(MonitorSession.created_at <= now - LONGEST, MonitorSession.seen_at <= now - idle)


def _stored(row: MonitorSession) -> StoredSession:
    return StoredSession(
        id_hash=row.id_hash,
        key_name=row.key_name,
        key_id=row.key_id,
        proof=row.proof,
        created_at=row.created_at,
    )

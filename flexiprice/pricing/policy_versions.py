"""Creates, lists, activates and rolls back versions of the policy. Exactly one is active."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pydantic_core import PydanticCustomError
from sqlalchemy import String, cast, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.audit_notes import note_change
from flexiprice.db.locks import Lock, acquire
from flexiprice.db.tables import Policy
from flexiprice.domain.audit import FieldChange
from flexiprice.domain.characters import refuse_hidden_in_text
from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.errors import Conflict, InvalidInput, NotFound
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy

_MAX_COMMENT = 500


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A stored policy. It is immutable except for `active`.

    Attributes:
        version: counts from 1, the default policy.
        policy: the policy, with its version.
        comment: its author's comment.
        active: whether it decides prices; true of exactly one version.
        created_at: when it was stored.
        activated_at: when it was last activated; None if never.
    """

    version: int
    policy: PricingPolicy
    comment: str
    active: bool
    created_at: datetime
    activated_at: datetime | None


async def get_active_policy(session: AsyncSession) -> PolicyVersion:
    """Returns the active version."""
    return _read((await session.scalars(select(Policy).where(Policy.active))).one())


async def get_compiled_policy(session: AsyncSession) -> CompiledPolicy:
    """Returns the active policy from a cache of compiled policies, for frequent use."""
    query = select(Policy.version, cast(Policy.document, String)).where(Policy.active)
    return _compiled(*(await session.execute(query)).one())


async def list_policies(
    session: AsyncSession,
    *,
    changed_since: datetime | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[PolicyVersion]:
    """Lists versions, the newest first.

    Args:
        session: in a transaction.
        changed_since: only versions that were stored, activated or deactivated at this instant or later.
        before: only versions below this one.
        limit: the maximum number; None for all.
    """
    query = select(Policy).order_by(Policy.version.desc()).limit(limit)
    if changed_since is not None:
        query = query.where(Policy.updated_at >= changed_since)
    if before is not None:
        query = query.where(Policy.version < before)
    return [_read(stored) for stored in await session.scalars(query)]


async def get_policy(session: AsyncSession, version: int) -> PolicyVersion:
    """Returns a version.

    Raises:
        NotFound: it does not exist.
    """
    stored = (await session.scalars(select(Policy).where(Policy.version == version))).one_or_none()
    if stored is None:
        raise NotFound(f"there is no policy version {version}", field="version")
    return _read(stored)


async def create_policy(session: AsyncSession, policy: PricingPolicy, *, comment: str = "") -> PolicyVersion:
    """Stores a policy as the next version, without activating it.

    Raises:
        InvalidInput: the comment is longer than 500 characters, or has invisible characters.
    """
    try:
        refuse_hidden_in_text(comment)
    except PydanticCustomError as error:
        raise InvalidInput(f"comment: {error.message()}", field="comment") from None
    if len(comment) > _MAX_COMMENT:
        raise InvalidInput(f"a comment may have at most {_MAX_COMMENT} characters", field="comment")
    await acquire(session, Lock.POLICIES)
    newest = await session.scalar(select(func.max(Policy.version)))
    version = (newest or 0) + 1
    await session.execute(insert(Policy).values(version=version, document=policy.document(), comment=comment))
    changes = {"comment": FieldChange(None, comment)} if comment else {}
    note_change(session, str(version), changes, {"rules": len(policy.rules)})
    return await get_policy(session, version)


async def activate_policy(session: AsyncSession, version: int, *, now: datetime) -> PolicyVersion:
    """Activates a version; prices follow at the next recompute.

    Activating the active version is a no-op.

    Raises:
        NotFound: the version does not exist.
    """
    await acquire(session, Lock.POLICIES)
    found = await get_policy(session, version)
    if found.active:
        note_change(session, str(version), details={"changed": False})
        return found
    active = await session.scalar(select(Policy.version).where(Policy.active))
    await session.execute(update(Policy).where(Policy.active).values(active=False))
    await session.execute(
        update(Policy).where(Policy.version == version).values(active=True, activated_at=now)
    )
    note_change(session, str(version), {"active_version": FieldChange(active, version)})
    return await get_policy(session, version)


async def roll_back_policy(session: AsyncSession, *, now: datetime) -> PolicyVersion:
    """Activates the previously active version; a second rollback undoes the first.

    Raises:
        Conflict: no other version has ever been active.
    """
    await acquire(session, Lock.POLICIES)
    before = await session.scalar(
        select(Policy.version)
        .where(~Policy.active, Policy.activated_at.is_not(None))
        .order_by(Policy.activated_at.desc(), Policy.version.desc())
        .limit(1)
    )
    if before is None:
        raise Conflict("no other version of the policy was ever active")
    return await activate_policy(session, before, now=now)


@lru_cache(maxsize=16)
def _compiled(version: int, document: str) -> CompiledPolicy:
    # The document is part of the key, because one process may use several databases.
    return CompiledPolicy.of(parse_policy(json.loads(document)).with_version(version))


def _read(stored: Policy) -> PolicyVersion:
    return PolicyVersion(
        version=stored.version,
        policy=parse_policy(stored.document).with_version(stored.version),
        comment=stored.comment,
        active=stored.active,
        created_at=stored.created_at,
        activated_at=stored.activated_at,
    )

"""Versions of the policy: numbered, immutable, one active, rollback."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.errors import Conflict, InvalidInput, NotFound
from flexiprice.pricing.policy_files import default_policy
from flexiprice.pricing.policy_versions import (
    activate_policy,
    create_policy,
    get_active_policy,
    get_policy,
    list_policies,
    roll_back_policy,
)
from tests.support.builders import NOON

LATER = NOON + timedelta(hours=1)
POLICY = parse_policy({"rules": [{"name": "all", "discount": "0.1234"}]})


async def test_a_new_installation_prices_by_the_default_policy(session: AsyncSession) -> None:
    active = await get_active_policy(session)
    assert (active.version, active.active) == (1, True)
    assert active.policy.document() == default_policy().document()
    assert active.policy.version == 1


async def test_a_new_version_is_stored_as_it_was_given_and_is_not_active(session: AsyncSession) -> None:
    stored = await create_policy(session, POLICY, comment="harder")
    assert (stored.version, stored.comment, stored.active, stored.activated_at) == (2, "harder", False, None)
    assert stored.policy == POLICY.with_version(2)
    assert await get_policy(session, 2) == stored
    assert [version.version for version in await list_policies(session)] == [2, 1]
    assert (await get_active_policy(session)).version == 1


async def test_one_version_is_active_after_each_activation(session: AsyncSession) -> None:
    await create_policy(session, POLICY)
    activated = await activate_policy(session, 2, now=NOON)
    assert (activated.active, activated.activated_at) == (True, NOON)
    assert [version.active for version in await list_policies(session)] == [True, False]
    assert (await activate_policy(session, 2, now=LATER)).activated_at == NOON, "it was active already"


async def test_rolling_back_leads_to_the_version_active_before_and_twice_undoes_it(
    session: AsyncSession,
) -> None:
    with pytest.raises(Conflict):
        await roll_back_policy(session, now=NOON)
    for version in (2, 3):
        await create_policy(session, POLICY)
        await activate_policy(session, version, now=NOON + timedelta(hours=version) + timedelta(days=9999))
    await create_policy(session, PricingPolicy())
    far = NOON + timedelta(days=10_000)
    assert (await roll_back_policy(session, now=far)).version == 2
    assert (await roll_back_policy(session, now=far + timedelta(hours=1))).version == 3


async def test_unknown_policy_version_or_too_long_comment_is_refused(session: AsyncSession) -> None:
    with pytest.raises(NotFound):
        await get_policy(session, 99)
    with pytest.raises(NotFound):
        await activate_policy(session, 99, now=NOON)
    with pytest.raises(InvalidInput, match="500"):
        await create_policy(session, POLICY, comment="x" * 501)


async def test_versions_made_and_activated_at_once_get_numbers_of_their_own(engine: AsyncEngine) -> None:
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def make_and_activate() -> int:
        async with sessions.begin() as session:
            version = (await create_policy(session, POLICY)).version
        async with sessions.begin() as session:
            return (await activate_policy(session, version, now=NOON)).version

    versions = await asyncio.gather(*(make_and_activate() for _ in range(5)))
    assert sorted(versions) == [2, 3, 4, 5, 6]
    async with sessions() as session:
        assert sum(version.active for version in await list_policies(session)) == 1

"""API keys: scopes, expiry, rotation, revocation, and the hash that the database keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from flexiprice.access.api_keys import (
    create_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from flexiprice.access.key_ring import KeyHolder, RejectedKey, read_key_ring, record_key_use
from flexiprice.db.clock import database_now
from flexiprice.domain.access import KeyFault, Scope, allows
from flexiprice.errors import Conflict, InvalidInput, NotFound

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def find_key_holder(session, presented, *, now) -> KeyHolder | None:
    """Whose key this is, as the keys are by now."""
    session.expire_all()
    return (await read_key_ring(session)).holder_of(presented, now=now)


async def test_a_key_opens_under_its_name_and_scope_and_nothing_like_it_does(session):
    issued = await create_api_key(session, name="till", scopes=[Scope.PRICES], now=NOW)
    assert await find_key_holder(session, issued.key, now=NOW) == KeyHolder("till", (Scope.PRICES,))
    other = await create_api_key(session, name="scales", scopes=[Scope.READ], now=NOW)
    mixed = issued.key[:16] + other.key[16:]
    for wrong in ("", "fp_", issued.key[:-1], f"{issued.key}0", issued.key.upper(), mixed, "\x00", "\ud800"):
        assert await find_key_holder(session, wrong, now=NOW) is None, wrong


async def test_the_secret_is_nowhere_in_the_database_nor_in_what_may_be_logged(session):
    issued = await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    secret = issued.key.rpartition("_")[2]
    row = str((await session.execute(text("SELECT api_keys::text FROM api_keys"))).scalars().all())
    assert secret not in row
    assert secret.encode().hex() not in row
    assert secret not in repr(issued)


async def test_a_key_expires_and_can_be_revoked_and_then_its_name_is_free(session):
    issued = await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW, expires_at=NOW + DAY)
    assert await find_key_holder(session, issued.key, now=NOW + DAY) is None
    await revoke_api_key(session, "till", now=NOW)
    assert await find_key_holder(session, issued.key, now=NOW) is None
    with pytest.raises(NotFound):
        await revoke_api_key(session, "till", now=NOW)
    await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    assert len(await list_api_keys(session)) == 1
    assert len(await list_api_keys(session, with_revoked=True)) == 2


async def test_why_a_key_was_revoked_is_known_for_90_days(session):
    issued = await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    now = await database_now(session)
    for days, fault in ((89, KeyFault.REVOKED), (91, KeyFault.UNKNOWN)):
        await session.execute(
            text("UPDATE api_keys SET created_at = :at, revoked_at = :at"), {"at": now - days * DAY}
        )
        session.expire_all()
        rejected = (await read_key_ring(session)).explain(issued.key, now=now)
        assert isinstance(rejected, RejectedKey)
        assert rejected.fault is fault


async def test_after_a_rotation_the_old_secret_opens_for_the_overlap_alone(session):
    first = await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    second = await rotate_api_key(session, "till", now=NOW, overlap=DAY)
    assert second.record.key_id == first.record.key_id
    for moment, opens in ((NOW, True), (NOW + DAY, False)):
        assert (await find_key_holder(session, first.key, now=moment) is not None) is opens
        assert await find_key_holder(session, second.key, now=moment)
    third = await rotate_api_key(session, "till", now=NOW)
    for old in (first, second):
        assert await find_key_holder(session, old.key, now=NOW) is None
    assert await find_key_holder(session, third.key, now=NOW)


async def test_an_expired_key_is_rotated_only_with_a_new_expiry(session):
    await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW, expires_at=NOW + DAY)
    with pytest.raises(Conflict):
        await rotate_api_key(session, "till", now=NOW + DAY)
    issued = await rotate_api_key(session, "till", now=NOW + DAY, expires_at=NOW + 2 * DAY)
    assert await find_key_holder(session, issued.key, now=NOW + DAY)


async def test_the_last_use_is_noted_at_most_once_a_minute(session):
    issued = await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    noted = []
    for seconds in (0, 59, 60):
        now = NOW + timedelta(seconds=seconds)
        ring = await read_key_ring(session)
        assert ring.is_use_unrecorded(issued.record.key_id, now=now) == (seconds != 59)
        await record_key_use(session, issued.record.key_id, now=now)
        session.expire_all()
        noted.append((await list_api_keys(session))[0].last_used_at)
    assert noted == [NOW, NOW, NOW + timedelta(seconds=60)]


@pytest.mark.parametrize(
    "name", ["", "bootstrap", "nobody", "many", " till", "a b", "x" * 101, "é", "a\n", "-x"]
)
async def test_a_name_that_would_confuse_is_refused(session, name):
    with pytest.raises(InvalidInput):
        await create_api_key(session, name=name, scopes=[Scope.READ], now=NOW)


async def test_a_name_in_use_is_not_given_twice_and_nothing_expires_in_the_past(session):
    await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)
    with pytest.raises(InvalidInput):
        await create_api_key(session, name="other", scopes=[Scope.READ], now=NOW, expires_at=NOW)
    with pytest.raises(InvalidInput):
        await rotate_api_key(session, "till", now=NOW, overlap=31 * DAY)
    with pytest.raises(Conflict):
        await create_api_key(session, name="till", scopes=[Scope.READ], now=NOW)


async def test_a_key_has_a_set_of_scopes_which_is_kept_as_one(session):
    both = (Scope.READ, Scope.PRICES)
    issued = await create_api_key(session, name="till", scopes=[Scope.PRICES, *both], now=NOW)
    assert issued.record.scopes == both
    session.expire_all()
    assert await find_key_holder(session, issued.key, now=NOW) == KeyHolder("till", both)
    with pytest.raises(InvalidInput, match="scopes"):
        await create_api_key(session, name="nothing", scopes=[], now=NOW)
    for broken in ("ARRAY[]::varchar[]", "ARRAY['root']::varchar[]"):
        with pytest.raises(IntegrityError, match="ck_api_keys_scopes"):
            async with session.begin_nested():
                await session.execute(text(f"UPDATE api_keys SET scopes = {broken}"))


def test_no_scope_contains_another_but_admin_all():
    for granted in Scope:
        allowed = {needed for needed in Scope if allows((granted,), needed)}
        assert allowed == (set(Scope) if granted is Scope.ADMIN else {granted})
    assert not allows((), Scope.READ)

"""Refused and failed changes are audited with their reason; refusals in bulk are summed up."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from api.audit.buffer import open_audit_buffer
from api.audit.refusals import MAX_KINDS, RefusalLog
from flexiprice.access.api_keys import create_api_key, revoke_api_key, rotate_api_key
from flexiprice.access.audit_context import record_events
from flexiprice.access.audit_log import AuditEvent, list_audit
from flexiprice.db.clock import database_now
from flexiprice.domain.access import Scope
from flexiprice.domain.audit import ANONYMOUS, AuditOutcome, AuditSource
from flexiprice.resources import Resources
from flexiprice.settings import Settings
from tests.support.api_server import serve
from tests.support.audit_buffer import RecordingAuditBuffer
from tests.support.catalogue import ADMIN, create_product
from tests.support.waiting import until

GUESS = AuditEvent(
    actor=ANONYMOUS,
    source=AuditSource.API,
    action="use_api",
    target=f"GET {ADMIN}/products",
    address="10.0.0.1",
    outcome=AuditOutcome.REFUSED,
)

YESTERDAY = """
    UPDATE api_keys SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
    WHERE name = 'old-till'
"""
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE datname = current_database() AND NOT granted
"""


@asynccontextmanager
async def a_transaction(client):
    """One on the application's own database."""
    resources: Resources = client.app.state.resources
    async with resources.sessions.begin() as session:
        yield session


async def key_with(client, name: str, scope: Scope = Scope.READ, **options) -> str:
    """A new key with one scope."""
    async with a_transaction(client) as session:
        now = await database_now(session)
        return (await create_api_key(session, name=name, scopes=[scope], now=now, **options)).key


async def unmade(client, number: int) -> list[dict]:
    """The given number of entries of refused changes, the first first, as soon as they are written."""
    found: list[dict] = []

    async def written() -> bool:
        items = (await client.get(f"{ADMIN}/audit", params={"limit": 500})).json()["items"]
        found[:] = [entry for entry in items[::-1] if entry["outcome"] != "done"]
        return len(found) >= number

    await until(written)
    assert len(found) == number
    return found


async def test_refusals_of_one_client_are_one_entry_at_once_and_one_with_their_number(settings: Settings):
    async with serve(settings) as client:
        for number in range(300):
            await client.get(f"{ADMIN}/nothing/{number}", headers={"X-API-Key": ""})
    # Counted refusals are written when the API ends, at the latest.
    async with serve(settings) as client:
        first, counted = await unmade(client, 2)
    assert (first["actor"], first["target"]) == ("nobody", f"GET {ADMIN}/nothing/0")
    assert (counted["address"], counted["details"]["times"]) == ("127.0.0.1", 299)
    assert counted["sentence"].endswith("refused, no key was sent (299 times)")


async def test_a_refused_change_says_of_what_and_why(client):
    await client.delete(f"{ADMIN}/products/OMN-2")
    (entry,) = await unmade(client, 1)
    assert (entry["actor"], entry["action"], entry["target"]) == ("bootstrap", "delete_product", "OMN-2")
    assert entry["details"]["reason"] == "there is no product with SKU 'OMN-2'"


async def test_a_key_without_the_scope_is_refused_under_its_name(client):
    till = await key_with(client, "till", Scope.READ)
    forbidden = await client.delete(f"{ADMIN}/products/OMN-1", headers={"X-API-Key": till})
    assert forbidden.status_code == 403
    (entry,) = await unmade(client, 1)
    assert (entry["actor"], entry["action"], entry["target"]) == ("till", "delete_product", "OMN-1")
    assert "the scope `prices` is required" in entry["details"]["reason"]


async def test_entries_tell_useless_keys_apart_and_clients_are_told_the_same_of_all(client):
    expired = await key_with(client, "old-till")
    revoked = await key_with(client, "lost-till")
    rotated = await key_with(client, "scales")
    async with a_transaction(client) as session:
        now = await database_now(session)
        await session.execute(text(YESTERDAY))
        await revoke_api_key(session, "lost-till", now=now)
        await rotate_api_key(session, "scales", now=now, overlap=timedelta(microseconds=1))
    reasons = {
        "a-guess": "nobody has this key",
        "fp_0123456789ab_" + 48 * "0": "nobody has this key",
        expired: "the key old-till expired on ",
        revoked: "the key lost-till was revoked on ",
        rotated: "an old secret of the key scales, which was rotated",
        f"{rotated[:15]}_{48 * '0'}": "not the secret that the key scales has now",
    }
    answers = set()
    for key in reasons:
        answer = await client.get(f"{ADMIN}/products", headers={"X-API-Key": key})
        answers.add((answer.status_code, answer.json()["detail"]))
    assert [status for status, _ in answers] == [401]

    # Guesses are one kind of refusal, and counted.
    found = await unmade(client, len(reasons) - 1)
    for entry, begins in zip(found, list(reasons.values())[1:], strict=True):
        assert entry["details"]["reason"].startswith(begins)
    everything = (await client.get(f"{ADMIN}/audit")).text
    assert not any(key[-48:] in everything for key in reasons)


async def test_change_that_fails_with_503_is_in_the_audit_as_failed(client):
    await create_product(client, "OMN-1")
    async with a_transaction(client) as session:
        await session.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        busy = await client.patch(f"{ADMIN}/products/OMN-1", json={"base_price": "4.00"})
    assert busy.status_code == 503
    (entry,) = await unmade(client, 1)
    assert (entry["action"], entry["target"], entry["outcome"]) == ("change_product", "OMN-1", "failed")
    assert entry["details"]["reason"] == busy.json()["detail"]
    assert entry["details"]["request_id"] == busy.json()["request_id"]


def test_refusals_of_many_addresses_neither_fill_the_audit_nor_hide_those_of_keys():
    told = RecordingAuditBuffer()
    refusals = RefusalLog(told)
    for number in range(5_000):
        refusals.record(replace(GUESS, address=f"10.0.{number // 250}.{number % 250}"), "nobody has this key")
    refusals.record(replace(GUESS, actor="till", action="delete_product"), "this needs the scope `prices`")
    refusals.flush()

    assert len(told.events) == MAX_KINDS + 3
    assert told.events[MAX_KINDS].action == "many_refusals"
    assert told.events[MAX_KINDS + 1].actor == "till"
    assert told.events[-1].details["times"] == 5_000 - MAX_KINDS - 1


def test_refusals_of_the_next_minute_are_audited_anew():
    told = RecordingAuditBuffer()
    refusals = RefusalLog(told)
    for _ in range(2):
        for _ in range(3):
            refusals.record(GUESS, "nobody has this key")
        refusals.flush()
    assert [change.details.get("times", 1) for change in told.events] == [1, 2, 1, 2]


def test_audited_text_of_a_client_is_cleaned_and_cut():
    told = RecordingAuditBuffer()
    RefusalLog(told).record(replace(GUESS, target="GET /\x00\x1b[2J" + 1_000 * "x"), "\ud800 is no key")
    (change,) = told.events
    assert change.target.startswith("GET /??[2Jxxx")
    assert len(change.target) == 200
    assert change.details["reason"] == "? is no key"


async def test_an_entry_that_cannot_be_written_keeps_no_other_from_being_written(client):
    # PostgreSQL refuses it: JSON has no infinity.
    bad = replace(GUESS, details={"reason": float("inf")})
    resources: Resources = client.app.state.resources
    await record_events(resources.sessions, [GUESS, bad, replace(GUESS, target="after it")])
    async with a_transaction(client) as session:
        assert [entry.target for entry in await list_audit(session)] == ["after it", GUESS.target]


async def test_audit_entries_in_flight_are_written_when_the_program_ends(client):
    resources: Resources = client.app.state.resources
    is_end = asyncio.Event()

    async def is_waited_for() -> bool:
        async with a_transaction(client) as session:
            return bool(await session.scalar(text(WAITING)))

    async def write() -> None:
        async with open_audit_buffer(resources.sessions) as writer:
            writer.add(GUESS)
            await is_end.wait()

    async with a_transaction(client) as holder:
        await holder.execute(text("LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE"))
        writing = asyncio.create_task(write())
        await until(is_waited_for)
        is_end.set()
    await writing
    async with a_transaction(client) as session:
        assert [entry.target for entry in await list_audit(session)] == [GUESS.target]

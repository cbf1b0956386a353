"""Refused sign-ins to the monitor are audited with address, reason and number."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from starlette.types import ASGIApp

from api.audit.refusals import MAX_KINDS
from api.monitor.context import MonitorContext
from flexiprice.access.api_keys import create_api_key, revoke_api_key
from flexiprice.access.audit_log import AuditEvent
from flexiprice.db.clock import database_now
from flexiprice.domain.access import Scope
from tests.support.audit_buffer import RecordingAuditBuffer
from tests.support.monitor import A_PAGE_ELSEWHERE, FULL, client, open_monitor


@dataclass
class Watched:
    """A monitor and the audit events of its sign-ins."""

    monitor: MonitorContext
    app: ASGIApp
    writer: RecordingAuditBuffer

    def told(self) -> list[AuditEvent]:
        self.monitor.refusals.flush()
        return self.writer.events


@pytest.fixture
async def watched(database_url: str, redis_url: str) -> AsyncIterator[Watched]:
    writer = RecordingAuditBuffer()
    urls = {"database_url": database_url, "redis_url": redis_url}
    async for monitor, app in open_monitor(writer, api_key=FULL, **urls):
        yield Watched(monitor, app, writer)


async def sign_in(watched: Watched, key: str, address: str = "203.0.113.7") -> int:
    async with client(watched.app, address) as browser:
        return (await browser.post("/login", data={"key": key})).status_code


async def test_wrong_keys_and_rate_limited_sign_ins_are_counted_in_the_audit(watched: Watched) -> None:
    answers = [await sign_in(watched, "a-guess") for _ in range(50)]
    assert answers == [401] * 3 + [429] * 47

    entries = watched.told()
    assert {(entry.actor, entry.action, entry.address) for entry in entries} == {
        ("nobody", "sign_in", "203.0.113.7")
    }
    assert [(entry.details["reason"], entry.details.get("times", 1)) for entry in entries] == [
        ("nobody has this key", 1),
        ("too many wrong keys from this address", 1),
        ("nobody has this key", 2),
        ("too many wrong keys from this address", 46),
    ]


async def test_wrong_keys_from_many_addresses_do_not_fill_the_audit(watched: Watched) -> None:
    for number in range(3 * MAX_KINDS):
        assert await sign_in(watched, "a-guess", f"203.0.{number // 100}.{number % 100}") == 401
    assert len(watched.told()) == MAX_KINDS + 2


async def test_audit_tells_a_revoked_key_and_one_without_the_scope_from_a_guess(watched: Watched) -> None:
    async with watched.monitor.resources.sessions.begin() as session:
        now = await database_now(session)
        revoked = await create_api_key(session, name="lost", scopes=[Scope.READ], now=now)
        printer = await create_api_key(session, name="printer", scopes=[Scope.LABELS], now=now)
        await revoke_api_key(session, "lost", now=now)
    for key in (revoked.key, printer.key):
        assert await sign_in(watched, key) == 401

    lost, labels = watched.told()
    assert (lost.actor, lost.details["fault"], lost.details["key"]) == ("nobody", "revoked", "lost")
    assert (labels.actor, labels.details["reason"]) == ("printer", "the key lacks the scope read")


async def test_a_page_of_another_site_is_refused_by_name_and_address(watched: Watched) -> None:
    async with client(watched.app, "203.0.113.7", headers=A_PAGE_ELSEWHERE) as foreign:
        assert (await foreign.post("/login", data={"key": FULL})).status_code == 403
    (entry,) = watched.told()
    assert (entry.target, entry.address) == ("POST /login", "203.0.113.7")
    assert entry.details["reason"] == "a page of another site asked for it"

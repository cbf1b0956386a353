"""Audit entries: filters, pages, and no way to change or delete one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.access.audit_log import AuditEvent, list_audit, record_audit
from flexiprice.domain.audit import AuditSource, FieldChange
from flexiprice.errors import InvalidInput

# Long before the entries of other tests in the shared database.
_NOON = datetime(2001, 3, 1, 12, tzinfo=UTC)
_EVENING = datetime(2001, 3, 1, 20, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_REVOKED = AuditEvent(
    at=_NOON,
    actor="admin key",
    source=AuditSource.API,
    address="10.1.2.3",
    action="revoke_job",
    target="job-1",
    details={"task": "recompute_all_discounts", "running": True},
)
_PAUSED = AuditEvent(
    at=_NOON + _MINUTE, actor="root", source=AuditSource.CLI, action="pause_schedule", target="cleanup"
)
_PURGED = AuditEvent(at=_NOON + 2 * _MINUTE, actor="root", source=AuditSource.MONITOR, action="purge_queue")


async def found(session: AsyncSession, **wanted: Any) -> list[str]:
    return [entry.action for entry in await list_audit(session, **{"until": _EVENING, **wanted})]


async def test_entries_tell_who_changed_what_from_where_and_when_the_latest_first(
    session: AsyncSession,
) -> None:
    await record_audit(session, [_REVOKED, _PAUSED])
    latest, first = await list_audit(session, until=_EVENING)
    for recorded, change in ((first, _REVOKED), (latest, _PAUSED)):
        for name in AuditEvent.__dataclass_fields__:
            assert getattr(recorded, name) == getattr(change, name), name


async def test_entry_is_written_whatever_characters_its_texts_have(session: AsyncSession) -> None:
    unstorable = "a\x00b\ud800"
    event = replace(
        _REVOKED,
        target=unstorable,
        details={unstorable: [unstorable]},
        changes={"lot": FieldChange(unstorable, 1)},
    )
    await record_audit(session, [event])
    (entry,) = await list_audit(session, until=_EVENING)
    assert (entry.target, entry.details) == ("a\ufffdb?", {"a\ufffdb?": ["a\ufffdb?"]})
    assert entry.changes == {"lot": FieldChange("a\ufffdb?", 1)}


async def test_entries_are_found_by_each_of_their_parts(session: AsyncSession) -> None:
    await record_audit(session, [_REVOKED, _PAUSED, _PURGED])
    assert await found(session, actor="root") == ["purge_queue", "pause_schedule"]
    assert await found(session, action="revoke_job") == ["revoke_job"]
    assert await found(session, target="cleanup") == ["pause_schedule"]
    assert await found(session, since=_NOON + _MINUTE) == ["purge_queue", "pause_schedule"]
    assert await found(session, until=_NOON + _MINUTE) == ["revoke_job"]
    assert await found(session, actor="root", action="revoke_job") == []


async def test_pages_follow_each_other_without_gap_or_repetition_also_within_one_instant(
    session: AsyncSession,
) -> None:
    await record_audit(session, [replace(_REVOKED, target=f"job-{number}") for number in range(25)])
    read, after = list[str](), None
    while page := await list_audit(session, until=_EVENING, after=after, limit=4):
        read += [entry.target for entry in page]
        after = (page[-1].at, page[-1].entry_id)
    assert read == [f"job-{number}" for number in reversed(range(25))]


@pytest.mark.parametrize(
    "edit",
    ["UPDATE audit_entries SET actor = 'nobody'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"],
)
async def test_an_entry_can_be_neither_changed_nor_deleted(session: AsyncSession, edit: str) -> None:
    await record_audit(session, [_REVOKED])
    with pytest.raises(IntegrityError, match="append-only"):
        async with session.begin_nested():
            await session.execute(text(edit))
    assert await found(session) == ["revoke_job"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("actor", ""),
        ("actor", "a" * 201),
        ("action", ""),
        ("action", "a" * 101),
        ("target", "t" * 501),
        ("address", "x" * 201),
    ],
)
async def test_a_text_that_is_empty_or_too_long_is_refused_by_name(
    session: AsyncSession, field: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await record_audit(session, [_PAUSED, replace(_REVOKED, **{field: value})])
    assert caught.value.details["field"] == field
    assert await found(session) == []


async def test_unchanged_values_leave_no_audit_entry(session: AsyncSession) -> None:
    before = await list_audit(session, limit=1)
    await record_audit(session, [])
    assert await list_audit(session, limit=1) == before

"""`flexiprice keys`: a secret is shown once and is in no audit entry."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexiprice.access.audit_log import AuditLogEntry, list_audit
from flexiprice.access.monitor_sessions import StoredSession, hash_session_id, store_session
from flexiprice.domain.audit import AuditOutcome, FieldChange
from flexiprice.resources import open_database
from flexiprice.settings import Settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN
from tests.support.commands import Command


def opened(settings: Settings, key: str) -> int:
    """The API's status for a request with a key."""

    async def ask() -> int:
        async with serve(settings, peer="203.0.113.9", headers={"Authorization": f"Bearer {key}"}) as client:
            return int((await client.get(f"{ADMIN}/stores")).status_code)

    return asyncio.run(ask())


def audit(settings: Settings) -> list[AuditLogEntry]:
    """The audited actions on keys, the first first."""

    async def read() -> list[AuditLogEntry]:
        async with (
            open_database(settings, program="flexiprice-tests") as database,
            database.sessions() as session,
        ):
            return [*reversed(await list_audit(session, outcome=AuditOutcome.DONE))]

    return asyncio.run(read())


def test_a_key_opens_until_it_is_rotated_or_revoked_and_each_step_is_written_down(
    command: Command, told: Callable[..., Any], settings: Settings
) -> None:
    created = command("keys", "create", "till", "--scope", "prices", "--scope", "read", "--expires-in", "90d")
    assert created.exit_code == 0, created.output
    first = created.stdout.strip()
    assert "cannot be shown again" in created.stderr
    assert opened(settings, first) == 200

    second = told("keys", "rotate", "till", "--overlap", "1h")["key"]
    assert opened(settings, first) == opened(settings, second) == 200
    third = told("keys", "rotate", "till")["key"]
    assert [opened(settings, key) for key in (first, second, third)] == [401, 401, 200]

    listed = command("keys", "list").stdout
    assert all(part in listed for part in ("till", "read, prices", first[:16]))
    assert all(key.rpartition("_")[2] not in listed for key in (first, second, third))

    told("keys", "revoke", "till")
    assert opened(settings, third) == 401
    assert told("keys", "list") == []
    assert "revoked" in command("keys", "list", "--all").stdout

    written = audit(settings)
    assert [(entry.action, entry.target) for entry in written] == [
        ("create_api_key", "till"),
        *[("rotate_api_key", "till")] * 2,
        ("revoke_api_key", "till"),
    ]
    assert written[0].changes["scopes"] == FieldChange(None, "read, prices")
    assert "fp_" not in str(written)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "bootstrap", "--scope", "admin"), "environment's key"),
        (("create", "till", "--scope", "root"), "'root'"),
        (("rotate", "none"), "no key named 'none' is in use"),
        (("revoke", "none"), "no key named 'none' is in use"),
    ],
)
def test_mistaken_keys_command_is_answered_in_one_sentence(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    result = command("keys", *arguments)
    assert result.exit_code != 0
    assert said in (result.stderr or str(result.exception))


def test_an_address_signs_in_and_sessions_are_shown_and_ended(
    command: Command, told: Callable[..., Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = command("keys", "sign-in")
    assert "FLEXIPRICE_API_KEY is not set" in str(without.exception)
    monkeypatch.setenv("FLEXIPRICE_API_KEY", "the-key-of-the-environment")
    address = command("keys", "sign-in", "--monitor", "https://prices.example/").stdout.strip()
    assert address.startswith("https://prices.example/login?token=")
    assert told("keys", "sessions") == [], "an address that nobody has opened is no session"

    async def store() -> None:
        async with open_database(settings, program="tests") as database, database.sessions.begin() as session:
            for name in ("bootstrap", "till"):
                opened = StoredSession(
                    id_hash=hash_session_id(name),
                    key_name=name,
                    key_id=None,
                    proof=b"0" * 32,
                    created_at=datetime.now(UTC),
                )
                await store_session(session, opened, idle=timedelta(hours=1))

    asyncio.run(store())
    assert sorted(one["key_name"] for one in told("keys", "sessions")) == ["bootstrap", "till"]
    assert "till" in command("keys", "sessions").stdout
    assert told("keys", "end-sessions", "till") == {"ended": 1}
    # All of them, with the sign-in address that was never opened.
    assert told("keys", "end-sessions") == {"ended": 2}
    ended = [(entry.action, entry.target, entry.details["ended"]) for entry in audit(settings)[-2:]]
    assert ended == [("end_sessions", "till", 1), ("end_sessions", "all", 2)]

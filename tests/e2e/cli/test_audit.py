"""Every change by a command leaves an audit entry, and `flexiprice audit` shows it."""

import os
import pwd
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from flexiprice.cli.main import app
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from tests.support.commands import Command
from tests.support.processes import wait_for

OPERATOR = pwd.getpwuid(os.getuid()).pw_name
RECOMPUTE = RECOMPUTE_ALL_DISCOUNTS.name
POLICY = "rules:\n  - {name: half, days_to_expiry: {max: 3}, discount: 0.5}\n"
READ_ONLY = {
    *("prices", "history", "doctor", "healthcheck", "systemd", "status", "active", "scheduled", "registered"),
    *("workers", "stats", "runs", "queues", "audit", "keys list", "keys sessions", "stores list", "help"),
    *("schedule list", "dead-letters list", "import-maps list"),
    *("policy show", "policy list", "policy lint", "policy preview"),
}
COLUMNS = "sku,name,category,base_price,quantity,expiry_date,gtin"
GTIN = "4006381333931"
# Actions whose changes have a value before and after.
VALUES = (
    "policy activate",
    "policy rollback",
    "pause-queue",
    "resume-queue",
    "schedule pause",
    "schedule resume",
    "keys create",
    "keys rotate",
    "keys revoke",
    "stores create",
    "stores set-time-zone",
    "import-maps delete",
)
# Seen to be written down where they are tested: `worker drain` with operations, `migrate` below.
ELSEWHERE = {"worker drain", "migrate"}
# They serve, and change nothing by themselves but the sample that `up` and `demo` load where asked.
PROGRAMS = {"demo", "up", "api", "monitor", "worker"}


def commands() -> set[str]:
    """All that can be typed, as `policy show`."""

    def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
        below = getattr(command, "commands", {})
        if path and (not below or command.invoke_without_command):
            yield " ".join(path)
        for name, child in below.items():
            yield from leaves(child, (*path, name))

    return set(leaves(typer.main.get_command(app)))


def test_every_command_that_changes_anything_leaves_an_entry_of_who_did_what(
    command: Command,
    told: Callable[..., Any],
    toy_worker: "subprocess.Popen[str]",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked: set[str] = set()

    def made(name: str, *options: str, action: str, target: str | None = None) -> Any:
        before = len(told("audit"))
        answer = told(*name.split(), *options)
        (entry, *_), after = told("audit"), len(told("audit"))
        assert after == before + 1, name
        assert (entry["action"], entry["source"], entry["actor"]) == (action, "cli", OPERATOR)
        assert entry["target"], name
        assert target is None or entry["target"] == target
        assert entry["outcome"] == "done"
        assert entry["address"] == socket.gethostname()
        assert entry["changes"] or not name.startswith(VALUES), name
        walked.add(name)
        return answer

    stock = tmp_path / "stock.csv"
    stock.write_text(f"{COLUMNS}\nA,Milk,Dairy,2.00,5,{datetime.now(UTC).date()},{GTIN}\n")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)

    made("import", str(stock), action="import_file", target=str(stock))
    saving = ("--map", "lot=", "--save-map", "night")
    made("import", str(stock), *saving, action="save_import_mapping", target="night")
    made("import-maps delete", "night", action="delete_import_mapping", target="night")
    made("scan", GTIN, action="record_scan")
    made("stores create", "berlin", action="create_store", target="berlin")
    made("stores set-time-zone", "berlin", "Europe/Berlin", action="change_store", target="berlin")
    made("policy create", str(policy), action="create_policy", target="2")
    made("policy activate", "2", action="activate_policy", target="2")
    made("policy rollback", action="roll_back_policy", target="1")
    made("recompute", action="trigger_recompute", target=RECOMPUTE)
    made("cleanup", action="run_task", target="cleanup_expired_discounts")
    job = made("run", RECOMPUTE, "--defer-by", "1h", action="run_task", target=RECOMPUTE)
    made("revoke", job["task_id"], action="revoke_tasks", target=job["task_id"])
    made("retry", job["task_id"], action="retry_tasks", target=job["task_id"])
    made("purge", "--yes", action="purge_tasks")
    made("dead-letters retry", "--all", action="retry_dead_letters", target="all")
    made("dead-letters dismiss", "--all", action="dismiss_dead_letters", target="all")
    made("pause-queue", "analytics", action="pause_queue", target="analytics")
    made("resume-queue", "analytics", action="resume_queue", target="analytics")
    made("schedule pause", RECOMPUTE, action="pause_schedule", target=RECOMPUTE)
    made("schedule resume", RECOMPUTE, action="resume_schedule", target=RECOMPUTE)
    made("schedule run", RECOMPUTE, action="run_schedule", target=RECOMPUTE)
    made("keys create", "till", "--scope", "read", action="create_api_key", target="till")
    made("keys rotate", "till", action="rotate_api_key", target="till")
    made("keys revoke", "till", action="revoke_api_key", target="till")
    monkeypatch.setenv("FLEXIPRICE_API_KEY", "the-key-of-the-environment")
    made("keys sign-in", action="offer_sign_in", target="bootstrap")
    made("keys end-sessions", action="end_sessions", target="all")
    assert wait_for(lambda: told("workers"))
    (worker,) = told("workers")
    made("worker stop", worker["worker_id"], action="stop_worker", target=worker["worker_id"])
    assert walked == commands() - READ_ONLY - PROGRAMS - ELSEWHERE


def test_the_audit_is_shown_by_who_what_and_since_when(command: Command, told: Callable[..., Any]) -> None:
    assert "Nothing was changed" in command("audit").stdout
    told("pause-queue", "analytics")
    told("run", RECOMPUTE)

    shown = command("audit").stdout
    assert "pause queue analytics" in " ".join(shown.split())
    assert OPERATOR in shown
    assert [entry["action"] for entry in told("audit")] == ["run_task", "pause_queue"]
    assert [entry["target"] for entry in told("audit", "--action", "pause_queue")] == ["analytics"]
    assert [entry["target"] for entry in told("audit", "--target", RECOMPUTE)] == [RECOMPUTE]
    assert told("audit", "--actor", "nobody") == []
    assert told("audit", "--since", "0s") == []


def test_migration_is_audited_where_it_changes_the_tables(
    command: Command, told: Callable[..., Any], empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXIPRICE_DATABASE_URL", empty_database_url)
    for _ in range(2):
        assert command("migrate").exit_code == 0
    assert [entry["action"] for entry in told("audit")] == ["migrate"]


def test_audit_names_the_systems_user_whatever_the_environment_says(
    command: Command, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    command("pause-queue", "analytics")
    (entry,) = told("audit")
    assert entry["actor"] == OPERATOR != "somebody-else"
    assert OPERATOR in {queue["paused_by"] for queue in told("queues")}
    job = told("recompute")
    assert told("status", job["task_id"])["actor"] == OPERATOR


def test_audit_names_the_account_behind_sudo(
    command: Command, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    command("pause-queue", "analytics")
    (entry,) = told("audit")
    assert (entry["actor"], entry["details"]["sudo_user"]) == (OPERATOR, "anna")
    assert f"{OPERATOR} (sudo by anna)" in " ".join(command("audit").stdout.split())


@pytest.mark.parametrize(
    ("typed", "action", "target", "reason"),
    [
        (
            "worker stop no-such-worker",
            "stop_worker",
            "no-such-worker",
            "no worker",
        ),
        ("keys revoke no-such-key", "revoke_api_key", "no-such-key", "no key named 'no-such-key' is in use"),
        ("keys create till --scope read", "create_api_key", "till", "a key named 'till' is in use"),
        ("keys rotate till --overlap 31d", "rotate_api_key", "till", "overlap: must be 0 to 30 days"),
        ("stores create main", "create_store", "main", "already exists"),
        ("stores set-time-zone main Nowhere/Land", "change_store", "main", "time zone"),
        ("policy activate 77", "activate_policy", "77", "there is no policy version 77"),
        ("policy rollback", "roll_back_policy", "", "no other version"),
        ("policy create bad.yaml", "create_policy", "bad.yaml", "discount"),
        ("schedule pause no-such-schedule", "pause_schedule", "no-such-schedule", "no schedule"),
        ("run no-such-task", "run_task", "no-such-task", "no task"),
        ("revoke no-such-task", "revoke_tasks", "no-such-task", "no waiting or running task"),
        ("retry no-such-task", "retry_tasks", "no-such-task", "none could be enqueued again"),
        ("import bad.csv", "import_file", "bad.csv", "none of 1 row is sound"),
        ("import no-columns.csv", "import_file", "no-columns.csv", "column"),
    ],
)
def test_a_command_that_is_refused_leaves_an_entry_with_the_reason(
    command: Command,
    told: Callable[..., Any],
    tmp_path: Path,
    typed: str,
    action: str,
    target: str,
    reason: str,
) -> None:
    (tmp_path / "bad.yaml").write_text(POLICY.replace("0.5", "5"))
    (tmp_path / "bad.csv").write_text(f"{COLUMNS}\nA,Milk,Dairy,2.00,5,never\n")
    (tmp_path / "no-columns.csv").write_text("a,b\n1,2\n")
    told("keys", "create", "till")

    assert command(*typed.split()).exit_code != 0
    (entry,) = told("audit", "--outcome", "refused")
    assert (entry["action"], entry["target"], entry["actor"]) == (action, target, OPERATOR)
    assert reason in entry["details"]["reason"]
    assert f"refused, {entry['details']['reason']}" in entry["sentence"]


def test_findings_of_a_dry_run_are_no_audited_refusal(
    command: Command, told: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text(f"{COLUMNS}\nA,Milk,Dairy,2.00,5,never\n")
    (tmp_path / "no-columns.csv").write_text("a,b\n1,2\n")
    for name in ("bad.csv", "no-columns.csv"):
        assert command("import", name, "--dry-run").exit_code == 1
    assert told("audit") == []

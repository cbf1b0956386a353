"""Commands typed one after another at a shop's server, with a real worker."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.tables import Discount, Policy
from flexiprice.pricing.price_history import slot_of, update_price_history
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.commands import PATIENTLY, Run
from tests.support.processes import flexiprice, start, wait_for

HALF_ON_THE_LAST_DAYS = "rules:\n  - {name: half, days_to_expiry: {max: 5}, discount: 0.5}\n"
NEVER_DECIDES = HALF_ON_THE_LAST_DAYS + "  - {name: dead, days_to_expiry: {max: 1}, discount: 0.3}\n"


def stock_file() -> str:
    today = datetime.now(UTC).date()
    return (
        "sku,name,category,base_price,quantity,expiry_date\n"
        f"MILK,Whole milk,Test shelf,2.00,5,{today + timedelta(days=1)}\n"
        f"RICE,Rice,Test shelf,3.00,5,{today + timedelta(days=200)}\n"
    )


@pytest.fixture
def stocked(run: Run) -> Run:
    imported = run("import", "-", typed=stock_file())
    assert imported.returncode == 0, imported.stderr
    return run


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    program = start(flexiprice("worker", "--log-level", "warning"), tmp_path, environment)
    yield program
    program.send_signal(signal.SIGTERM)
    said, _ = program.communicate(timeout=120)
    assert program.returncode == 0, said


def test_a_shop_is_set_up_priced_and_checked_from_the_command_line(
    stocked: Run, worker: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(HALF_ON_THE_LAST_DAYS)
    created = json.loads(stocked("policy", "create", str(policy), "--activate", "--json").stdout)
    assert (created["version"], created["active"]) == (2, True)
    followed = stocked("status", created["repricing"]["task_id"], *PATIENTLY, "--json")
    assert json.loads(followed.stdout)["status"] == "succeeded"

    recomputed = stocked("recompute", "--days-threshold", "10", *PATIENTLY)
    assert recomputed.returncode == 0, recomputed.stderr
    assert "unchanged: 1" in recomputed.stdout

    prices = json.loads(
        stocked("prices", "--category", "TEST SHELF", "--expiring-within", "1", "--json").stdout
    )
    assert [(price["sku"], price["price"], price["rate"], price["rule"]) for price in prices] == [
        ("MILK", "1.00", "0.5000", "half")
    ]

    cleaned = json.loads(stocked("cleanup", *PATIENTLY, "--json").stdout)
    assert (cleaned["status"], cleaned["result"]["closed"]) == ("succeeded", 0)

    doctor = stocked("doctor", FLEXIPRICE_DATABSE_URL="postgresql://typo")
    assert doctor.returncode == 0, doctor.stdout
    for word in (
        "FLEXIPRICE_DATABSE_URL",
        "PostgreSQL",
        "partitions",
        "discounts, maintenance, analytics",
        "0 2 * * *",
    ):
        assert word in doctor.stdout


async def test_a_dry_run_shows_a_day_to_come_and_writes_nothing(stocked: Run, engine: AsyncEngine) -> None:
    the_day_before = datetime.now(UTC).date() + timedelta(days=200)
    shown = stocked("recompute", "--dry-run", "--on", str(the_day_before))
    assert shown.returncode == 0, shown.stderr
    assert "+ open" in shown.stdout
    assert "RICE" in shown.stdout
    assert "Test shelf" in shown.stdout
    assert "MILK" not in shown.stdout
    preview = json.loads(stocked("recompute", "--dry-run", "--on", str(the_day_before), "--json").stdout)
    assert [(change["sku"], change["kind"]) for change in preview["changes"]] == [("RICE", "opened")]
    async with AsyncSession(engine) as session:
        assert await session.scalar(select(func.count()).select_from(Discount)) == 0


def test_a_policy_is_linted_tried_out_and_rolled_back(stocked: Run, tmp_path: Path) -> None:
    (tmp_path / "dead.yaml").write_text(NEVER_DECIDES)
    (tmp_path / "half.yaml").write_text(HALF_ON_THE_LAST_DAYS)
    linted = stocked("policy", "lint", "dead.yaml")
    assert linted.returncode == 1
    assert "can never decide" in linted.stdout
    refused = stocked("policy", "create", "dead.yaml")
    assert refused.returncode == 1
    assert "can never decide" in refused.stderr

    previewed = json.loads(stocked("policy", "preview", "half.yaml", "--json").stdout)
    assert [(change["sku"], change["price"]) for change in previewed["changes"]] == [("MILK", "1.00")]

    assert "policy activate 2" in stocked("policy", "create", "half.yaml", "--comment", "try [it]").stdout
    assert stocked("policy", "activate", "2").returncode == 0
    printed = stocked("policy", "show").stdout
    assert "# Version 2" in printed
    assert stocked("policy", "lint", "-", typed=printed).returncode == 0
    assert json.loads(stocked("policy", "rollback", "--json").stdout)["version"] == 1
    listed = json.loads(stocked("policy", "list", "--json").stdout)
    assert [(version["version"], version["active"]) for version in listed] == [(2, False), (1, True)]


async def test_a_stored_version_that_this_program_cannot_read_is_not_activated(
    run: Run, engine: AsyncEngine
) -> None:
    async with AsyncSession(engine) as session, session.begin():
        document = {"max_discont": "0.5", "floor_fraction": 25}
        await session.execute(insert(Policy).values(version=2, document=document, comment=""))
    refused = run("policy", "activate", "2")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        "The policy cannot be used: 2 faults.",
        "  floor_fraction: should be less than or equal to 1; write a fraction from 0 to 1, such as 0.25",
        "  max_discont: unknown key; did you mean max_discount?",
    ]


async def test_the_history_of_a_product_is_drawn_and_told(stocked: Run, engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    async with AsyncSession(engine) as session, session.begin():
        await recompute_all_discounts(session, now=now)
        await update_price_history(session, slot_at=slot_of(now), now=now)
    shown = stocked("history", "MILK")
    assert shown.returncode == 0, shown.stderr
    assert "┤" in shown.stdout
    assert "Lowest price of the last 30 days: 1.50" in shown.stdout
    assert "prior price, the lowest of the 30 days before: 2.00" in " ".join(shown.stdout.split())
    told = json.loads(stocked("history", "MILK", "--json").stdout)
    assert [(point["price"], point["base_price"]) for point in told["snapshots"]] == [("1.50", "2.00")]
    assert told["reduction"]["prior_price"] == "2.00"
    assert [step["price"] for step in told["lowest_prices"]] == ["2.00", "1.50"]


def test_doctor_without_a_worker_fails_and_says_what_to_do(run: Run) -> None:
    doctor = run("doctor", "--json")
    assert doctor.returncode == 1
    failed = {
        finding["subject"]: finding for finding in json.loads(doctor.stdout) if finding["health"] == "failed"
    }
    assert failed.keys() == {"workers", "schedules"}
    assert "flexiprice worker" in failed["workers"]["advice"]


def test_doctor_reports_everything_while_servers_are_away(run: Run) -> None:
    doctor = run(
        "doctor",
        FLEXIPRICE_DATABASE_URL="postgresql://user:secret@127.0.0.1:9/none",
        FLEXIPRICE_REDIS_URL="redis://:secret@127.0.0.1:9/0",
    )
    assert doctor.returncode == 1
    assert "the database does not answer" in doctor.stdout
    assert "Redis does not answer" in doctor.stdout
    assert "secret" not in doctor.stdout + doctor.stderr


def test_api_command_replaces_its_own_process(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = start(flexiprice("api", "--port", str(port), "--log-level", "warning"), tmp_path, environment)

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/v1/health/live").is_success
        except httpx.TransportError:
            return False

    try:
        assert wait_for(answers)
    finally:
        program.send_signal(signal.SIGTERM)
        said, _ = program.communicate(timeout=120)
    assert program.returncode in {0, -signal.SIGTERM}, said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["worker", "--queues", "discuonts"], "FLEXIPRICE_WORKER_QUEUES"),
        (["status", "no-such-job"], "there is no job 'no-such-job'"),
        (["history", "NOTHING"], "there is no product with SKU 'NOTHING'"),
    ],
)
def test_mistaken_command_is_answered_in_one_line(arguments: list[str], reason: str, run: Run) -> None:
    mistaken = run(*arguments)
    assert mistaken.returncode in {1, 2}
    assert reason in mistaken.stderr
    assert len(mistaken.stderr.splitlines()) == 1

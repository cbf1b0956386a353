"""Prices on machines whose clocks are days ahead: PostgreSQL's clock decides every store's date."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.embedded.child_process import free_port
from flexiprice.pricing.price_history import slot_of
from tests.support.api_server import BOOTSTRAP_KEY, WITH_KEY
from tests.support.builders import a_batch, a_product, an_active_policy
from tests.support.commands import PATIENTLY, Run
from tests.support.moved_clock import moved_clock
from tests.support.processes import flexiprice, start, wait_for

ARQ = [sys.executable, "-m", "arq", "workers.settings.WorkerSettings"]
FOUR_DAYS = 4 * 86_400
HALF_OFF_FROM_FIVE_DAYS: dict[str, object] = {
    "rules": [{"name": "soon", "days_to_expiry": {"max": 5}, "discount": "0.50"}]
}


@pytest.fixture
def wrong_clock(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a program that believes it is four days later."""
    return {**environment, **moved_clock(tmp_path, FOUR_DAYS).environment}


@pytest.fixture
async def milk(engine: AsyncEngine) -> int:
    """A batch that expires the day after tomorrow, which a clock four days ahead takes for expired."""
    async with AsyncSession(engine) as session, session.begin():
        await an_active_policy(session, HALF_OFF_FROM_FIVE_DAYS)
        product = await a_product(session, sku="MILK", base_price="4.00")
        return await a_batch(session, product, expiry_date=datetime.now(UTC).date() + timedelta(days=2))


@pytest.fixture
def worker(wrong_clock: dict[str, str], tmp_path: Path) -> Iterator[None]:
    program = start(ARQ, tmp_path, wrong_clock)
    yield
    program.terminate()
    program.communicate(timeout=60)


@pytest.fixture
def api(wrong_clock: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    port = free_port(tmp_path / "port")
    command = flexiprice("api", "--port", str(port))
    program = start(command, tmp_path, {**wrong_clock, "FLEXIPRICE_API_KEY": BOOTSTRAP_KEY})
    address = f"http://127.0.0.1:{port}/api/v1"
    with httpx.Client(base_url=address, headers=WITH_KEY, timeout=40, trust_env=False) as client:

        def answers() -> bool:
            try:
                return client.get("/health/live").is_success
            except httpx.TransportError:
                return False

        assert wait_for(answers, 60)
        yield client
    program.terminate()
    program.communicate(timeout=60)


def test_wrong_clock_of_a_worker_decides_no_price(milk: int, worker: None, run: Run) -> None:
    recomputed = json.loads(run("recompute", *PATIENTLY, "--json").stdout)
    assert recomputed["result"]["opened"] == 1
    cleaned = json.loads(run("cleanup", *PATIENTLY, "--json").stdout)
    assert cleaned["result"]["closed"] == 0
    before = datetime.now(UTC)
    snapshots = json.loads(run("history", "MILK", "--json").stdout)["snapshots"]
    assert snapshots == []
    ran = json.loads(run("schedule", "run", "update_price_history", "--json").stdout)
    told = json.loads(run("status", ran["task_id"], *PATIENTLY, "--json").stdout)
    assert told["result"]["recorded"] == 1
    assert slot_of(before) <= datetime.fromisoformat(told["result"]["slot_at"]) <= slot_of(datetime.now(UTC))


def test_wrong_clock_of_a_command_decides_no_price(milk: int, run: Run, wrong_clock: dict[str, str]) -> None:
    preview = json.loads(run("recompute", "--dry-run", "--json", **wrong_clock).stdout)
    assert [(change["sku"], change["kind"]) for change in preview["changes"]] == [("MILK", "opened")]


def test_doctor_reports_wrong_clocks_and_schedules_as_workers_tick_them(
    run: Run, environment: dict[str, str], wrong_clock: dict[str, str], tmp_path: Path
) -> None:
    listed = run("schedule", "list")
    assert "0 * * * *" in listed.stdout
    assert "No live worker ticks recompute_all_discounts" in listed.stderr
    nightly = {"FLEXIPRICE_RECOMPUTE_SCHEDULE": "30 4 * * *", "FLEXIPRICE_TIMEZONE": "Asia/Tokyo"}
    right = start(ARQ, tmp_path, {**environment, **nightly})
    try:
        assert wait_for(lambda: "30 4 * * * Asia/Tokyo" in run("doctor").stdout, 60)
        doctor = run("doctor")
        assert doctor.returncode == 0, doctor.stdout
        assert "PostgreSQL's clock agrees with that of Redis" in doctor.stdout
        assert "this machine's clock is 4 d ahead of that of Redis" in run("doctor", **wrong_clock).stdout
        assert "30 4 * * *" in run("schedule", "list").stdout

        wrong = start(ARQ, tmp_path, wrong_clock)
        try:
            assert wait_for(lambda: "so it schedules nothing" in run("doctor").stdout, 60)
            doctor = run("doctor")
            assert doctor.returncode == 1
            # It ticks nothing, so its settings do not count.
            assert "disagree" not in doctor.stdout
        finally:
            wrong.terminate()
            wrong.communicate(timeout=60)

        other = start(ARQ, tmp_path, environment)
        try:
            disagreement = "workers disagree on recompute_all_discounts"
            assert wait_for(lambda: disagreement in run("doctor").stdout, 60)
            assert "Workers disagree on recompute_all_discounts" in run("schedule", "list").stderr
        finally:
            other.terminate()
            other.communicate(timeout=60)
    finally:
        right.terminate()
        right.communicate(timeout=60)


def test_wrong_clock_of_the_api_decides_no_price(milk: int, api: httpx.Client) -> None:
    previewed = api.post("/admin/discounts/preview").json()
    assert [change["sku"] for change in previewed["changes"]] == ["MILK"]
    finished = api.post("/admin/discounts/trigger-recompute", params={"async_task": False}).json()
    assert finished["result"]["opened"] == 1
    price = api.get("/products/MILK/price").json()
    assert (price["lowest_price"], len(price["batches"])) == ("2.00", 1)
    assert [discount["sku"] for discount in api.get("/admin/discounts").json()["items"]] == ["MILK"]
    (entry,) = api.get("/admin/audit").json()["items"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(entry["at"])) < timedelta(hours=1)

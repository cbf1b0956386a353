"""The JSON of commands has the field names and the shape of the API's schemas."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from api.main import create_app
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.main import app
from flexiprice.db.clock import database_now
from flexiprice.pricing.price_history import slot_of, update_price_history
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings
from tests.support.commands import Command, on_queue
from tests.support.toy_tasks import SLEEP
from tests.support.workers import until_live, until_running

RECOMPUTE = "recompute_all_discounts"
POLICY = "rules:\n  - {name: half, days_to_expiry: {max: 3}, discount: 0.5}\n"


@pytest.fixture
def differences(settings: Settings) -> Callable[[object, str], set[str]]:
    """The fields that a printed record has more (+) or less (-) than a schema of the API, at any depth."""
    schemas = create_app(settings).openapi()["components"]["schemas"]

    def within(value: object, schema: dict[str, Any], path: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        for part in schema.get("anyOf", []):
            if part.get("type") != "null":
                schema = schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if isinstance(value, list) and "items" in schema:
            for entry in value:
                yield from within(entry, schema["items"], path)
        elif isinstance(value, dict) and "properties" in schema:
            known = schema["properties"]
            yield from (f"+{path}{name}" for name in value.keys() - known.keys())
            yield from (f"-{path}{name}" for name in known.keys() - value.keys())
            for name in value.keys() & known.keys():
                yield from within(value[name], known[name], f"{path}{name}.")

    def of(value: object, schema: str) -> set[str]:
        records = value if isinstance(value, list) else [value]
        assert records, f"nothing to compare with {schema}"
        return {each for record in records for each in within(record, schemas[schema], "")}

    return of


STATUS_URL = {"-status_url"}
NO_ADDRESS = {"-repricing.status_url"}
STARTED = STATUS_URL | {"+task", "+queue", "+created"}
# Fields that commands have more (+) or less (-) than the API: they name no address of the API, and show
# figures for the operator of the machine.
KNOWN = {
    "import": ("BatchImportOut", NO_ADDRESS | {"+saved_map"}),
    "scan": ("ScanOut", {"+code", "-repricing.status_url"}),
    "stores list": ("StoreOut", {"+today", "+batches", "+discounts"}),
    "stores create": ("StoreOut", set()),
    "stores set-time-zone": ("ChangedStoreOut", NO_ADDRESS),
    "policy preview": ("PreviewOut", set()),
    "policy create": ("ActivatedPolicyOut", NO_ADDRESS),
    "policy list": ("PolicySummaryOut", set()),
    "policy show": ("PolicyOut", set()),
    "policy activate": ("ActivatedPolicyOut", NO_ADDRESS),
    "policy rollback": ("ActivatedPolicyOut", NO_ADDRESS),
    "policy lint": ("PolicyWarningOut", {"+severity"}),
    "recompute --dry-run": ("PreviewOut", set()),
    "prices": ("DiscountOut", set()),
    "history": ("PriceHistoryOut", {"+lowest_prices"}),
    "recompute": ("EnqueuedTaskOut", STARTED),
    "cleanup": ("EnqueuedTaskOut", STARTED),
    "run": ("EnqueuedTaskOut", STARTED),
    "schedule run": ("EnqueuedTaskOut", STARTED),
    "status": ("TaskDetailsOut", set()),
    "active": ("TaskDetailsOut", set()),
    "scheduled": ("ScheduledTasksOut", set()),
    "registered": ("RegisteredTaskOut", set()),
    "queues": ("QueueOut", {"+running_task_ids"}),
    "schedule list": ("ScheduleOut", {"+lines", "+read_at"}),
    "audit": ("AuditEntryOut", set()),
    "workers": ("WorkerOut", {"+schedules"}),
    "worker drain": ("CommandedWorkerOut", set()),
    "revoke": ("RevokedTaskOut", set()),
    "retry": ("RetriedTaskOut", set()),
    "runs": ("RunOut", set()),
    "stats": ("TaskStatisticsOut", set()),
    "purge": ("PurgedOut", set()),
    "dead-letters list": ("DeadLetterOut", set()),
    "dead-letters retry": ("RetriedTaskOut", set()),
    "dead-letters dismiss": ("DismissedOut", set()),
}
OPERATING = {
    *("recompute", "cleanup", "run", "schedule run", "status", "active", "scheduled", "registered", "queues"),
    *("schedule list", "workers", "worker drain", "revoke", "retry", "runs", "stats", "purge"),
    *("dead-letters list", "dead-letters retry", "dead-letters dismiss"),
}
# Not in the API, or answered there with the changed object; these commands say only whether it changed.
NOWHERE = {
    *("keys create", "keys list", "keys rotate", "keys revoke", "keys sign-in", "keys sessions"),
    *("keys end-sessions", "doctor", "migrate", "pause-queue", "resume-queue", "schedule pause"),
    *("schedule resume", "worker stop", "import-maps list", "import-maps delete"),
}


def with_json(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """All commands that print JSON where they are asked to, as they are typed."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield " ".join(path)
    for name, child in getattr(command, "commands", {}).items():
        yield from with_json(child, (*path, name))


def test_every_command_with_json_is_compared() -> None:
    compared = {name.removesuffix(" --dry-run") for name in KNOWN}
    assert compared | NOWHERE == set(with_json(typer.main.get_command(app)))


class Printed:
    """Runs commands, and collects the differences of their JSON from the API's schemas."""

    def __init__(self, told: Callable[..., Any], differences: Callable[[object, str], set[str]]) -> None:
        self._told = told
        self._differences = differences
        self.seen: dict[str, set[str]] = {}

    def compare(self, name: str, *more: str, value: object = None) -> Any:
        value = self._told(*name.split(), *more) if value is None else value
        self.seen[name] = self._differences(value, KNOWN[name][0])
        return value

    def as_known(self) -> dict[str, set[str]]:
        """The differences that are known."""
        return {name: KNOWN[name][1] for name in self.seen}


@pytest.fixture
def printed(told: Callable[..., Any], differences: Callable[[object, str], set[str]]) -> Printed:
    return Printed(told, differences)


def test_stock_policies_and_prices_have_the_names_of_the_api(
    command: Command, settings: Settings, tmp_path: Path, printed: Printed
) -> None:
    compare = printed.compare
    now = in_transaction(settings, database_now)
    header = "sku,name,category,base_price,quantity,expiry_date,gtin"
    milk = f"MILK,Milk,Dairy,2.00,5,{now.date()},4006381333931"
    (tmp_path / "stock.csv").write_text(f"{header}\n{milk}\nBAD,,,,,,\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "odd.yaml").write_text(f"{POLICY}max_discount: 0.4\n")

    compare("import", value=json.loads(command("import", "stock.csv", "--json").stdout))
    compare("scan", value=json.loads(command("scan", "4006381333931", "--json").stdout)["scans"])
    compare("stores create", "berlin")
    compare("stores set-time-zone", "berlin", "Europe/Berlin")
    compare("stores list")
    compare("policy lint", "odd.yaml")
    compare("policy preview", "policy.yaml")
    compare("policy create", "policy.yaml", "--activate")
    compare("policy list")
    compare("policy show")
    compare("policy activate", "1")
    compare("policy rollback")
    compare("recompute --dry-run")
    in_transaction(settings, lambda session: recompute_all_discounts(session, now=now))
    in_transaction(settings, lambda session: update_price_history(session, slot_at=slot_of(now), now=now))
    compare("prices")
    compare("history", "MILK")
    compare("audit")
    assert printed.seen == printed.as_known()
    assert printed.seen.keys() == KNOWN.keys() - OPERATING


def test_tasks_queues_and_workers_have_the_names_of_the_api(
    command: Command,
    told: Callable[..., Any],
    settings: Settings,
    toy_worker: "subprocess.Popen[str]",
    printed: Printed,
) -> None:
    async def begin(tasks: TaskQueue) -> str:
        await until_live(tasks)
        job = await tasks.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(tasks, job.job_id)
        return job.job_id

    compare = printed.compare
    compare("status", compare("recompute")["task_id"])
    compare("cleanup")
    compare("run", RECOMPUTE, "--defer-by", "1h")
    compare("scheduled")
    compare("queues")
    compare("schedule list")
    compare("schedule run", RECOMPUTE)
    job_id = on_queue(settings, begin)
    compare("active")
    (worker,) = compare("workers")
    compare("registered")
    compare("revoke", job_id)
    compare("retry", job_id)
    compare("runs")
    compare("stats", value=told("stats")["tasks"])
    on_queue(settings, lambda tasks: tasks.redis.rpush(keys.PAUSED_QUEUES, "of another type"))
    told("queues")
    (letter, *_) = compare("dead-letters list")
    answer = command("dead-letters", "retry", letter["task_id"], "--json")
    compare("dead-letters retry", value=json.loads(answer.stdout))
    compare("dead-letters dismiss", "--all")
    compare("purge", "--yes")
    told("revoke", *(job["task_id"] for job in told("active")))
    compare("worker drain", worker["worker_id"])
    assert printed.seen == printed.as_known()
    assert printed.seen.keys() == OPERATING

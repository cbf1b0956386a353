"""Command line, API and monitor record the same target and facts of an operation."""

import inspect
from collections.abc import Mapping
from typing import Any, get_origin, get_type_hints

import pytest

from api.main import create_app
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.operations import Operation
from flexiprice.queue.admin.retry import Retried, RetryOutcome
from flexiprice.queue.admin.revoke import Revoked, RevokeOutcome
from flexiprice.queue.client import EnqueuedJob
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS as CLEANUP
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.heartbeat import WorkerCommand
from flexiprice.settings import Queue, load_settings

SOURCE = JobSource()
JOB = EnqueuedJob(job_id="j", task="t", queue=Queue.DISCOUNTS, created=True)
RETRIED = [
    Retried(job_id="a", outcome=RetryOutcome.ENQUEUED, new_job_id="c", message="again"),
    Retried(job_id="b", outcome=RetryOutcome.UNKNOWN, new_job_id=None, message="no such job"),
]
REVOKED = Revoked(job_id="a", outcome=RevokeOutcome.PREVENTED, message="", status=JobStatus.REVOKED)
ALL: list[tuple[Operation[Any], str, Any, Mapping[str, object]]] = [
    (
        operations.retry_tasks(["a", "b"], source=SOURCE),
        "a, b",
        RETRIED,
        {"new_task_ids": {"a": "c", "b": None}},
    ),
    (operations.retry_task("a", source=SOURCE), "a", RETRIED[0], {"new_task_id": "c"}),
    (operations.retry_dead_letters(["a"], source=SOURCE), "a", RETRIED[:1], {"new_task_ids": {"a": "c"}}),
    (operations.retry_dead_letters(None, source=SOURCE), "all", [], {"new_task_ids": {}}),
    (operations.revoke_tasks(["a"]), "a", [REVOKED], {"outcomes": {"a": "prevented"}}),
    (operations.revoke_task("a"), "a", REVOKED, {"outcome": "prevented"}),
    (
        operations.purge_tasks((Queue.ANALYTICS,)),
        "analytics",
        {Queue.ANALYTICS: 2},
        {"purged": {"analytics": 2}},
    ),
    (operations.purge_queue(Queue.ANALYTICS), "analytics", 2, {"purged": 2}),
    (operations.dismiss_dead_letters(None), "all", 3, {"dismissed": 3}),
    (operations.pause_queue(Queue.ANALYTICS, by="ann"), "analytics", True, {"changed": True}),
    (operations.resume_queue(Queue.ANALYTICS), "analytics", False, {"changed": False}),
    (operations.pause_schedule("nightly", by="ann"), "nightly", True, {"changed": True}),
    (operations.resume_schedule("nightly"), "nightly", True, {"changed": True}),
    (operations.drain_or_stop_worker("w", WorkerCommand.DRAIN), "w", True, {"confirmed": True}),
    (operations.drain_or_stop_worker("w", WorkerCommand.STOP), "w", False, {"confirmed": False}),
    (operations.run_task(CLEANUP, {}, source=SOURCE), CLEANUP.name, JOB, {"task_id": "j"}),
    (operations.run_schedule("nightly", source=SOURCE), "nightly", JOB, {"task_id": "j"}),
    (
        operations.trigger_recompute(days_threshold=7, source=SOURCE),
        "recompute_all_discounts",
        JOB,
        {"days_threshold": 7, "task_id": "j"},
    ),
]


@pytest.mark.parametrize(("operation", "target", "answer", "details"), ALL)
def test_an_operation_names_its_target_and_records_facts_about_its_answer(
    operation: Operation[Any], target: str, answer: Any, details: Mapping[str, object]
) -> None:
    assert operation.target == target
    assert operation.details_of(answer) == details


def test_each_operation_is_recorded_under_the_name_of_its_endpoint() -> None:
    actions = {operation.action for operation, *_ in ALL}
    settings = load_settings(env_files=(), database_url="postgresql://host/shop", redis_url="redis://host")
    paths = create_app(settings).openapi()["paths"]
    assert actions <= {endpoint["operationId"] for path in paths.values() for endpoint in path.values()}
    made = {
        name
        for name, function in inspect.getmembers(operations, inspect.isfunction)
        if not name.startswith("_") and get_origin(get_type_hints(function).get("return")) is Operation
    }
    assert actions - {"drain_worker", "stop_worker"} == made - {"drain_or_stop_worker"}

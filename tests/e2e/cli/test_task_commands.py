"""Operating tasks, queues, schedules and workers from the command line."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings
from tests.support.commands import Command, on_queue
from tests.support.paths import ROOT
from tests.support.processes import start
from tests.support.toy_tasks import SLEEP
from tests.support.workers import until_live, until_running

RECOMPUTE = "recompute_all_discounts"


def test_a_task_is_enqueued_deferred_revoked_and_tried_again(
    command: Command, told: Callable[..., Any]
) -> None:
    job = told("run", RECOMPUTE, "days_threshold=14", "--defer-by", "2h", "--expires", "1d")
    assert (job["task"], job["queue"], job["created"]) == (RECOMPUTE, "discounts", True)
    (deferred,) = told("scheduled")["deferred"]
    assert (deferred["task_id"], deferred["trigger"]) == (job["task_id"], "cli")

    (revoked,) = told("revoke", job["task_id"])
    again = command("revoke", job["task_id"], "unknown")
    (retried,) = told("retry", job["task_id"])

    assert revoked["outcome"] == "prevented"
    assert again.exit_code == 1
    assert "it had ended before it could be revoked (revoked)" in again.stdout
    assert "unknown: there is no such job" in again.stdout
    child = told("status", retried["new_task_id"])
    assert (child["status"], child["parent_task_id"]) == ("queued", job["task_id"])
    assert command("retry", child["task_id"]).exit_code == 1


def test_tasks_that_need_a_person_are_listed_retried_and_dismissed(
    command: Command, told: Callable[..., Any], settings: Settings
) -> None:
    assert "No task needs a person." in command("dead-letters", "list").stdout
    set_aside = on_queue(
        settings, lambda tasks: tasks.redis.rpush(keys.PAUSED_QUEUES, "of", "another", "type")
    )
    assert set_aside == 3
    told("queues")

    (letter,) = told("dead-letters", "list")
    shown = command("dead-letters", "list").stdout
    refused = command("dead-letters", "retry", letter["task_id"])

    assert (letter["task_id"], letter["reason"]) == (keys.PAUSED_QUEUES, "bad_entry")
    assert "bad_entry" in shown
    assert refused.exit_code == 1
    assert told("dead-letters", "dismiss", letter["task_id"]) == {"dismissed": 1}
    assert told("dead-letters", "list") == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["dead-letters", "retry"], "give --all"),
        (["dead-letters", "dismiss", "one", "--all"], "give --all"),
        (["run", "no_such_task"], "there is no task 'no_such_task'"),
        (["run", RECOMPUTE, "days_threshold=many"], "days_threshold"),
        (["run", RECOMPUTE, "days_threshold"], "KEY=VALUE"),
        (["run", RECOMPUTE, "--defer-by", "soon"], "must be a length of time"),
        (["pause-queue", "no_such_queue"], "discounts"),
        (["schedule", "pause", "weekly"], "there is no schedule 'weekly'"),
        (["worker", "drain", "nobody"], "no worker 'nobody' is alive"),
    ],
)
def test_impossible_task_command_is_refused_in_plain_words(
    command: Command, typed: list[str], said: str
) -> None:
    result = command(*typed)
    assert result.exit_code != 0
    assert said in f"{result.output} {result.exception}"


def test_queues_are_paused_resumed_counted_and_purged(command: Command, told: Callable[..., Any]) -> None:
    for _ in range(3):
        told("run", RECOMPUTE)

    assert told("pause-queue", "discounts") == {"queue": "discounts", "changed": True}
    assert "as it was before" in command("pause-queue", "discounts").stdout
    paused = told("queues")[0]
    assert (paused["queue"], paused["waiting"], paused["paused_at"] is None) == ("discounts", 3, False)
    assert "paused by" in command("queues").stdout
    assert told("resume-queue", "discounts")["changed"]

    refused = command("purge", "--queue", "discounts", typed="n\n")
    assert refused.exit_code == 1
    assert "Revoke 3 waiting jobs" in refused.output
    assert told("purge", "--queue", "analytics", "--yes") == {"purged": 0, "by_queue": {"analytics": 0}}
    assert told("purge", "--yes")["purged"] == 3
    assert told("queues")[0]["waiting"] == 0


def test_schedules_are_listed_paused_resumed_and_run(command: Command, told: Callable[..., Any]) -> None:
    assert [schedule["crontab"] for schedule in told("schedule", "list")] == [
        "0 * * * *",
        "0 2 * * *",
        "0 */6 * * *",
    ]
    assert told("schedule", "pause", RECOMPUTE)["changed"]
    assert "paused by" in command("schedule", "list").stdout
    assert "paused" in command("scheduled").stdout
    assert not told("schedule", "pause", RECOMPUTE)["changed"]
    ran = told("schedule", "run", RECOMPUTE)
    assert told("status", ran["task_id"])["trigger"] == "schedule_by_hand"
    assert told("schedule", "resume", RECOMPUTE)["changed"]


def test_empty_lists_of_tasks_workers_and_runs_say_so(command: Command) -> None:
    for typed, said in (
        (["active"], "No job runs."),
        (["registered"], "No worker is alive."),
        (["workers"], "No worker is alive."),
        (["runs"], "Nothing has run"),
        (["stats"], "Nothing has run"),
    ):
        result = command(*typed)
        assert result.exit_code == 0, result.output
        assert said in result.stdout


@pytest.mark.usefixtures("toy_worker")
def test_running_task_is_shown_and_revoked(
    command: Command, told: Callable[..., Any], settings: Settings
) -> None:
    async def begin(tasks: TaskQueue) -> str:
        await until_live(tasks)
        job = await tasks.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(tasks, job.job_id)
        return job.job_id

    job_id = on_queue(settings, begin)

    (worker,) = told("workers")
    (active,) = told("active")
    assert (active["task_id"], active["worker_id"]) == (job_id, worker["worker_id"])
    assert job_id in command("active").stdout
    assert {"task": "sleep", "worker_ids": [worker["worker_id"]]} in told("registered")
    assert told("stats")["workers"][0]["worker_id"] == worker["worker_id"]
    (revoked,) = told("revoke", job_id)
    assert (revoked["outcome"], told("active")) == ("cancelled", [])


def test_a_worker_is_told_to_drain_and_ends(
    told: Callable[..., Any], settings: Settings, toy_worker: "subprocess.Popen[str]"
) -> None:
    on_queue(settings, until_live)
    (worker,) = told("workers")

    assert told("worker", "drain", worker["worker_id"])["confirmed"]

    assert toy_worker.wait(timeout=120) == 0
    assert told("workers") == []
    (entry,) = told("audit")
    assert (entry["action"], entry["details"]) == ("drain_worker", {"confirmed": True})


def test_a_worker_is_told_to_stop_and_hands_back_what_does_not_end_in_time(
    told: Callable[..., Any], settings: Settings, environment: dict[str, str]
) -> None:
    arq = [sys.executable, "-m", "arq", "tests.support.toy_worker.WorkerSettings"]
    stopped = start(arq, ROOT, {**environment, "FLEXIPRICE_WORKER_GRACE": "0.2"})

    async def begin(tasks: TaskQueue) -> str:
        await until_live(tasks)
        job = await tasks.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(tasks, job.job_id)
        return job.job_id

    try:
        job_id = on_queue(settings, begin)
        (worker,) = told("workers")
        assert told("worker", "stop", worker["worker_id"])["confirmed"]
        assert stopped.wait(timeout=120) == 0
    finally:
        stopped.kill()
        stopped.communicate(timeout=120)

    assert told("status", job_id)["status"] == "queued"


def test_waiting_command_warns_that_no_worker_runs_and_ends_at_its_timeout(
    command: Command,
) -> None:
    for typed in (["recompute"], ["run", RECOMPUTE], ["cleanup"]):
        result = command(*typed, "--wait", "--timeout", "0.2s")
        assert result.exit_code == 1
        assert "No worker is running:" in result.stderr
        assert "Start one with `flexiprice worker`" in result.stderr
        assert "has not finished in time:" in result.stderr
        assert "it is queued, and continues" in result.stderr
    assert command("recompute", "--timeout", "1s").exit_code == 2


def test_wait_without_timeout_ends_where_no_worker_can_start_the_job(command: Command) -> None:
    result = command("recompute", "--wait")

    assert result.exit_code == 1
    assert "Waiting ends: no live worker consumes the job's queue." in result.stderr
    assert "it is queued, and continues" in result.stderr

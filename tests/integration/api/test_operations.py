"""Operating tasks, queues, schedules and workers over HTTP."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from flexiprice.runs.recording import record_runs
from flexiprice.settings import Settings
from tests.support.api_server import changes, resources_of, serve
from tests.support.catalogue import ADMIN, create_product
from tests.support.run_records import started
from tests.support.toy_tasks import SLEEP, STEPS, release
from tests.support.workers import running, until_live, until_running

TASKS = f"{ADMIN}/tasks"
RECOMPUTE = {"task": "recompute_all_discounts", "arguments": {"days_threshold": 7}}


async def test_a_task_is_run_by_its_name_and_can_be_asked_for(client):
    response = await client.post(TASKS, json=RECOMPUTE, headers={"X-Request-ID": "r-1"})

    assert response.status_code == 202, response.text
    started_task = response.json()
    assert response.headers["location"] == started_task["status_url"]
    shown = (await client.get(f"{TASKS}/{started_task['task_id']}")).json()
    assert (shown["task"], shown["queue"], shown["status"]) == (
        "recompute_all_discounts",
        "discounts",
        "queued",
    )
    assert (shown["trigger"], shown["request_id"], shown["actor"]) == ("api", "r-1", "bootstrap")
    assert shown["due_at"] is not None


async def test_a_triggered_recompute_knows_the_request_that_triggered_it(client):
    response = await client.post(
        f"{ADMIN}/discounts/trigger-recompute", headers={"X-Request-ID": "trigger-7"}
    )

    shown = (await client.get(f"{TASKS}/{response.json()['task_id']}")).json()
    assert (shown["trigger"], shown["request_id"]) == ("api", "trigger-7")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"task": "no_such_task"}, "task"),
        ({**RECOMPUTE, "arguments": {"days": 7}}, "days"),
        ({**RECOMPUTE, "defer_by": -1}, "defer_by"),
        ({**RECOMPUTE, "expires": 0}, "expires"),
        ({**RECOMPUTE, "when": "now"}, "when"),
    ],
)
async def test_a_task_that_cannot_be_run_is_refused_by_name(client, body, field):
    response = await client.post(TASKS, json=body)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await changes(client) == []


async def test_full_queue_is_refused_with_retry_after(settings: Settings):
    async with serve(settings.model_copy(update={"queue_limit": 1})) as client:
        assert (await client.post(TASKS, json=RECOMPUTE)).status_code == 202

        response = await client.post(TASKS, json=RECOMPUTE)
        triggered = await client.post(f"{ADMIN}/discounts/trigger-recompute")

    for refused in (response, triggered):
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
        assert int(refused.headers["retry-after"]) > 0


async def test_a_deferred_task_is_scheduled_until_it_is_revoked(client):
    task_id = (await client.post(TASKS, json={**RECOMPUTE, "defer_by": 60})).json()["task_id"]
    before = (await client.get(f"{TASKS}/scheduled")).json()

    response = await client.post(f"{TASKS}/{task_id}/revoke")

    after = (await client.get(f"{TASKS}/scheduled")).json()
    assert [task["task_id"] for task in before["deferred"]] == [task_id]
    assert {tick["name"] for tick in before["ticks"]} >= {"recompute_all_discounts"}
    assert (response.status_code, response.json()["outcome"]) == (200, "prevented")
    assert after["deferred"] == []
    assert (await client.post(f"{TASKS}/{task_id}/revoke")).json()["outcome"] == "ended"


async def test_a_running_task_is_active_until_it_is_revoked(client, settings: Settings):
    async with running(settings):
        queue = resources_of(client).tasks
        job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(queue, job.job_id)
        active = (await client.get(f"{TASKS}/active")).json()
        (worker,) = (await client.get(f"{ADMIN}/workers")).json()

        response = await client.post(f"{TASKS}/{job.job_id}/revoke")

        assert [(task["task_id"], task["worker_id"]) for task in active] == [
            (job.job_id, worker["worker_id"])
        ]
        assert (response.json()["outcome"], response.json()["status"]) == ("cancelled", "revoked")
        assert (await client.get(f"{TASKS}/active")).json() == []


async def test_many_tasks_are_revoked_and_tried_again_at_once(client):
    ids = [(await client.post(TASKS, json=RECOMPUTE)).json()["task_id"] for _ in range(3)]

    revoked = (await client.post(f"{TASKS}/revoke", json={"task_ids": [*ids[:2], "unknown"]})).json()
    retried = (await client.post(f"{TASKS}/retry", json={"task_ids": [*ids, "unknown"]})).json()

    assert [answer["outcome"] for answer in revoked] == ["prevented", "prevented", "unknown"]
    assert [answer["outcome"] for answer in retried] == ["enqueued", "enqueued", "not_ended", "unknown"]
    child = (await client.get(f"{TASKS}/{retried[0]['new_task_id']}")).json()
    assert (child["trigger"], child["parent_task_id"]) == ("retry", ids[0])
    for rubbish in ({"task_ids": []}, {"task_ids": ["a\x00b"]}, {"task_ids": ["x" * 201]}):
        assert (await client.post(f"{TASKS}/revoke", json=rubbish)).status_code == 422


async def test_one_task_is_tried_again_if_it_has_ended(client):
    task_id = (await client.post(TASKS, json=RECOMPUTE)).json()["task_id"]

    early = await client.post(f"{TASKS}/{task_id}/retry")
    await client.post(f"{TASKS}/{task_id}/revoke")
    late = await client.post(f"{TASKS}/{task_id}/retry")
    unknown = await client.post(f"{TASKS}/unknown/retry")

    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    assert (late.status_code, late.json()["outcome"]) == (202, "enqueued")
    assert [response.status_code for response in (unknown, await client.post(f"{TASKS}/unknown/revoke"))] == [
        404,
        404,
    ]


async def test_queues_are_counted_paused_resumed_and_purged(client):
    for _ in range(2):
        await client.post(TASKS, json=RECOMPUTE)

    paused = (await client.post(f"{ADMIN}/queues/discounts/pause")).json()
    listed = {queue["queue"]: queue for queue in (await client.get(f"{ADMIN}/queues")).json()}
    resumed = (await client.post(f"{ADMIN}/queues/discounts/resume")).json()
    other = (await client.post(f"{ADMIN}/queues/analytics/purge")).json()
    purged = (await client.post(f"{TASKS}/purge")).json()

    assert (paused["paused"], paused["paused_by"], paused["waiting"]) == (True, "bootstrap", 2)
    assert [listed[name]["paused"] for name in ("discounts", "maintenance")] == [True, False]
    assert (resumed["paused"], resumed["paused_at"]) == (False, None)
    assert other == {"purged": 0, "by_queue": {"analytics": 0}}
    assert purged == {"purged": 2, "by_queue": {"discounts": 2, "maintenance": 0, "analytics": 0}}
    assert (await client.post(f"{ADMIN}/queues/none/pause")).status_code == 422


async def test_schedules_are_paused_resumed_and_run(client):
    name = "update_price_history"

    paused = (await client.post(f"{ADMIN}/schedules/{name}/pause")).json()
    ran = await client.post(f"{ADMIN}/schedules/{name}/run")
    resumed = (await client.post(f"{ADMIN}/schedules/{name}/resume")).json()

    assert (paused["name"], paused["paused_by"]) == (name, "bootstrap")
    assert resumed["paused_at"] is None
    assert ran.status_code == 202
    task = (await client.get(f"{TASKS}/{ran.json()['task_id']}")).json()
    assert (task["task"], task["trigger"]) == (name, "schedule_by_hand")
    listed = (await client.get(f"{ADMIN}/schedules")).json()
    assert [schedule["name"] for schedule in listed] == [
        "recompute_all_discounts",
        "cleanup_expired_discounts",
        name,
    ]
    assert (await client.post(f"{ADMIN}/schedules/none/run")).status_code == 404


async def test_live_workers_are_listed_with_the_tasks_that_they_declare(client, settings: Settings):
    assert (await client.get(f"{ADMIN}/workers")).json() == []
    async with running(settings):
        await until_live(resources_of(client).tasks)
        (worker,) = (await client.get(f"{ADMIN}/workers")).json()
        registered = (await client.get(f"{TASKS}/registered")).json()

    assert worker["queues"] == ["discounts", "maintenance", "analytics"]
    assert {"task": "sleep", "worker_ids": [worker["worker_id"]]} in registered
    for command in ("drain", "stop"):
        assert (await client.post(f"{ADMIN}/workers/nobody/{command}")).status_code == 404


async def test_the_events_of_a_task_tell_its_progress_and_its_end(client, settings: Settings):
    job = await resources_of(client).tasks.enqueue(STEPS, arguments={"count": 3, "held": True})
    streaming = asyncio.create_task(client.get(f"{TASKS}/{job.job_id}/events", timeout=120))
    async with running(settings):
        async for status in resources_of(client).tasks.follow(job.job_id):
            if status.progress is not None:
                await release(resources_of(client).redis, f"{job.job_id}/{status.progress.done}")
        response = await streaming

    assert response.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in response.text.strip().split("\n\n")]
    assert {lines[0] for lines in events} == {"event: status"}
    told = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert [status["ready"] for status in told] == [False] * (len(told) - 1) + [True]
    assert {status["progress"]["done"] for status in told if status["progress"]} >= {3}
    assert (told[-1]["status"], told[-1]["result"]) == ("succeeded", 3)


async def test_the_events_of_a_task_that_is_unknown_are_not_found(client):
    assert (await client.get(f"{TASKS}/unknown/events")).status_code == 404


async def test_every_change_leaves_an_entry_of_what_was_done(client):
    await create_product(client)
    assert (await client.post(f"{ADMIN}/products", json={"sku": "BREAD"})).status_code == 422
    task_id = (await client.post(TASKS, json=RECOMPUTE)).json()["task_id"]
    await client.post(f"{TASKS}/{task_id}/revoke")
    await client.post(f"{TASKS}/unknown/revoke")
    await client.post(f"{ADMIN}/queues/discounts/pause", headers={"X-Request-ID": "r-9"})
    await client.post(f"{ADMIN}/schedules/none/run")
    await client.post(f"{ADMIN}/discounts/preview")
    await client.patch(f"{ADMIN}/products/BREAD", json={"name": "Bread"})
    await client.delete(f"{ADMIN}/products/BREAD")

    assert await changes(client) == [
        ("delete_product", "BREAD"),
        ("change_product", "BREAD"),
        ("pause_queue", "discounts"),
        ("revoke_task", task_id),
        ("run_task", RECOMPUTE["task"]),
        ("create_product", "BREAD"),
    ]
    (entry,) = (await client.get(f"{ADMIN}/audit?action=pause_queue")).json()["items"]
    assert (entry["actor"], entry["source"], entry["address"]) == ("bootstrap", "api", "127.0.0.1")
    assert entry["details"] == {"changed": True, "request_id": "r-9"}


async def test_changes_are_refused_while_the_audit_cannot_be_written(client_without_database):
    response = await client_without_database.post(f"{ADMIN}/queues/discounts/pause")

    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    queues = (await client_without_database.get(f"{ADMIN}/queues")).json()
    assert [queue["paused"] for queue in queues] == [False, False, False]


async def test_runs_are_listed_by_page_and_by_what_is_asked_for(client):
    now = datetime.now(UTC)
    async with resources_of(client).sessions.begin() as session:
        await record_runs(
            session,
            [
                started(started_at=now - timedelta(minutes=minute), job_id=f"job-{minute}")
                for minute in range(3)
            ],
        )

    first = (await client.get(f"{TASKS}/runs?limit=2")).json()
    rest = (await client.get(f"{TASKS}/runs?limit=2&cursor={first['next_cursor']}")).json()
    (attempt,) = (await client.get(f"{TASKS}/job-1/runs")).json()
    run = (await client.get(f"{TASKS}/runs/{attempt['run_id']}")).json()

    assert [item["task_id"] for item in (first["items"] + rest["items"])] == ["job-0", "job-1", "job-2"]
    assert rest["next_cursor"] is None
    assert run == attempt
    assert (await client.get(f"{TASKS}/runs?task=none")).json()["items"] == []
    assert (await client.get(f"{TASKS}/runs?status=running&status=failed")).json()["items"] != []
    (figures,) = (await client.get(f"{TASKS}/stats")).json()
    assert (figures["runs"], figures["by_status"]) == (3, {"running": 3})

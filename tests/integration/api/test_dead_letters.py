"""`/admin/tasks/dead-letters`: listed, retried though their result has expired, and dismissed."""

from datetime import timedelta

import pytest

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobStatus
from tests.support.api_server import changes, resources_of
from tests.support.catalogue import ADMIN
from tests.support.toy_tasks import ADD, FAIL, FLAKY
from tests.support.workers import running

TASKS = f"{ADMIN}/tasks"
LETTERS = f"{TASKS}/dead-letters"
WAIT = timedelta(seconds=60)


async def fail(settings, queue: TaskQueue, count: int = 1, **options) -> list[str]:
    """Ids of jobs that failed for good."""
    jobs = [(await queue.enqueue(FAIL, arguments={"kind": "ours"}, **options)).job_id for _ in range(count)]
    async with running(settings):
        for job_id in jobs:
            assert (await queue.wait(job_id, WAIT)).status is JobStatus.FAILED
    return jobs


async def test_dead_letter_is_listed_and_retried_though_its_result_is_forgotten(client, settings):
    queue = resources_of(client).tasks
    (job_id,) = await fail(settings, queue)
    await queue.redis.delete(keys.result_key(job_id), keys.record_key(job_id))

    (letter,) = (await client.get(LETTERS)).json()
    answer = await client.post(f"{LETTERS}/retry", json={"task_ids": [job_id]})

    assert (letter["task_id"], letter["reason"], letter["task"]) == (job_id, "failed", "fail")
    assert (letter["error_code"], letter["message"]) == ("not_found", "there is no such batch")
    (retried,) = answer.json()
    assert (retried["task_id"], retried["outcome"]) == (job_id, "enqueued")
    assert (await client.get(f"{TASKS}/{retried['new_task_id']}")).json()["status"] == "queued"
    assert (await client.get(LETTERS)).json() == []
    assert ("retry_dead_letters", job_id) in await changes(client)


async def test_all_dead_letters_are_retried_at_once_and_retried_ones_are_not_listed(client, settings):
    queue = resources_of(client).tasks
    jobs = await fail(settings, queue, 3)

    assert (await client.post(f"{TASKS}/{jobs[0]}/retry")).status_code == 202
    assert {letter["task_id"] for letter in (await client.get(LETTERS)).json()} == set(jobs[1:])
    answers = (await client.post(f"{LETTERS}/retry", json={"all": True})).json()

    assert {answer["task_id"] for answer in answers} == set(jobs[1:])
    assert {answer["outcome"] for answer in answers} == {"enqueued"}
    assert (await client.get(LETTERS)).json() == []


async def test_dismissed_dead_letters_are_gone_and_metrics_count_them_until_then(client, settings):
    queue = resources_of(client).tasks
    jobs = await fail(settings, queue, 3)
    assert 'flexiprice_dead_letters{reason="failed"} 3.0' in (await client.get("/metrics")).text

    one = await client.post(f"{LETTERS}/dismiss", json={"task_ids": [jobs[0], "unknown"]})
    all_of_them = await client.post(f"{LETTERS}/dismiss", json={"all": True})

    assert (one.json(), all_of_them.json()) == ({"dismissed": 1}, {"dismissed": 2})
    assert 'flexiprice_dead_letters{reason="failed"} 0.0' in (await client.get("/metrics")).text


async def test_scheduled_task_and_one_that_succeeds_at_last_are_no_dead_letters(client, settings):
    queue = resources_of(client).tasks
    await fail(settings, queue, source=JobSource(trigger=RunTrigger.SCHEDULE))
    async with running(settings):
        for task, arguments in ((ADD, {"left": 1}), (FLAKY, {"until": 2})):
            job = await queue.enqueue(task, arguments=arguments)
            assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED

    assert (await client.get(LETTERS)).json() == []


@pytest.mark.parametrize(
    "body", [{}, {"task_ids": []}, {"task_ids": ["a"], "all": True}, {"task_ids": ["a"], "all": 0}]
)
async def test_dead_letter_request_without_task_ids_is_refused(client, body):
    assert (await client.post(f"{LETTERS}/retry", json=body)).status_code == 422


async def test_dead_letter_that_nobody_can_have_is_audited_whatever_its_characters(client):
    answer = await client.post(f"{LETTERS}/dismiss", json={"task_ids": ["a\x00b"]})
    assert answer.json() == {"dismissed": 0}
    assert ("dismiss_dead_letters", "a\ufffdb") in await changes(client)

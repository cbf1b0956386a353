"""Waiting jobs, and the arguments of jobs before and after they have run."""

from datetime import timedelta

from flexiprice.queue.admin.arguments import find_arguments
from flexiprice.queue.admin.inspect import list_active, list_deferred, list_waiting
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_BATCHES, TaskArguments, TaskDeclaration
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import (
    ADD,
    SLEEP,
    SLEEP_ELSEWHERE,
)
from tests.support.workers import running, until_running

WAIT = timedelta(seconds=120)


class _Login(TaskArguments):
    user: str
    password: str


_SIGN_IN = TaskDeclaration(name="sign_in", queue=Queue.ANALYTICS, arguments=_Login)


async def test_jobs_that_are_due_and_run_nowhere_wait_the_longest_due_first(
    queue: TaskQueue, settings: Settings
):
    first = await queue.enqueue(SLEEP)
    second = await queue.enqueue(SLEEP_ELSEWHERE)
    later = await queue.enqueue(SLEEP, defer_by=timedelta(minutes=1))

    waiting = await list_waiting(queue)
    assert {job.job_id for job in waiting} == {first.job_id, second.job_id}
    assert [job.due_at for job in waiting] == sorted(job.due_at for job in waiting if job.due_at)
    assert all(job.status is JobStatus.QUEUED for job in waiting)
    assert [job.job_id for job in await list_waiting(queue, limit=1)] == [waiting[0].job_id]
    assert [job.job_id for job in await list_deferred(queue)] == [later.job_id]


async def test_a_job_that_runs_waits_no_longer_though_its_queue_still_names_it(
    queue: TaskQueue, settings: Settings
):
    busy = settings.model_copy(update={"worker_concurrency": 1, "worker_grace": timedelta(0)})
    async with running(busy):
        runs = await queue.enqueue(SLEEP, arguments={"seconds": 30})
        await until_running(queue, runs.job_id)
        waits = await queue.enqueue(SLEEP)
        assert [job.job_id for job in await list_waiting(queue)] == [waits.job_id]


async def test_the_arguments_of_a_job_are_told_while_it_waits_and_when_it_has_ended(
    queue: TaskQueue, settings: Settings
):
    job = await queue.enqueue(ADD, arguments={"left": 1})
    expected = {job.job_id: {"left": "1", "right": "1"}}
    assert await find_arguments(queue, [job.job_id, "never"]) == expected
    async with running(settings):
        await queue.wait(job.job_id, WAIT)
    assert await find_arguments(queue, [job.job_id]) == expected
    assert await find_arguments(queue, []) == {}


async def test_secrets_among_the_arguments_are_hidden(queue: TaskQueue):
    job = await queue.enqueue(_SIGN_IN, arguments={"user": "ada", "password": "hunter2"})
    assert await find_arguments(queue, [job.job_id]) == {job.job_id: {"user": "ada", "password": "***"}}


async def test_arguments_too_large_to_show_are_reported_by_their_size(queue: TaskQueue):
    job = await queue.enqueue(RECOMPUTE_BATCHES, arguments={"batch_ids": [2**40] * 5000})
    [told] = (await find_arguments(queue, [job.job_id])).values()
    assert list(told) == ["…"]
    assert told["…"].endswith(" bytes")


async def test_active_and_deferred_jobs_are_listed(queue: TaskQueue, settings: Settings):
    async with running(settings.model_copy(update={"worker_grace": timedelta(0)})):
        job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        later = await queue.enqueue(SLEEP_ELSEWHERE, defer_by=timedelta(minutes=2))
        soon = await queue.enqueue(SLEEP, defer_by=timedelta(minutes=1))
        await until_running(queue, job.job_id)

        active = await list_active(queue)
        deferred = await list_deferred(queue)
        (worker,) = await queue.live_workers()

    assert [(status.job_id, status.worker_id) for status in active] == [(job.job_id, worker.worker_id)]
    assert [status.job_id for status in deferred] == [soon.job_id, later.job_id]
    assert deferred[0].due_at is not None
    assert [status.job_id for status in await list_deferred(queue, limit=1)] == [soon.job_id]

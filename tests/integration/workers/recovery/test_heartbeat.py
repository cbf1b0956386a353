"""A worker whose registration Redis has lost."""

from arq.connections import ArqRedis

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings
from tests.support.toy_tasks import SLEEP
from tests.support.waiting import until
from tests.support.workers import running, until_running


async def test_worker_that_redis_forgot_continues_under_another_id(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    async with running(settings):
        (before,) = await queue.live_workers()
        job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(queue, job.job_id)
        await redis.zrem(keys.WORKERS, before.worker_id)

        async def is_back() -> bool:
            return any(worker.worker_id != before.worker_id for worker in await queue.live_workers())

        await until(is_back)

from datetime import timedelta
from decimal import Decimal

from flexiprice.jobs.client import TaskQueue
from flexiprice.settings import Settings
from tests.workers.conftest import running
from tests.workers.toy_tasks import ADD

WAIT = timedelta(seconds=10)


async def test_a_job_runs_and_its_result_can_be_read(queue: TaskQueue, settings: Settings):
    async with running(settings):
        job = await queue.enqueue(ADD, arguments={"left": Decimal("1.50")})
        status = await queue.wait(job.job_id, WAIT)
    assert status.result == Decimal("2.50")

"""The log lines of a worker's process."""

import json
from datetime import timedelta

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.source import JobSource
from tests.support.toy_tasks import ADD
from tests.support.workers import StartWorker, end_of, until_live

WAIT = timedelta(seconds=120)


async def test_log_lines_of_a_run_carry_the_request_id_that_caused_it(
    start_worker: StartWorker, queue: TaskQueue
) -> None:
    worker = start_worker(log_format="json")
    await until_live(queue)
    job = await queue.enqueue(ADD, arguments={"left": 1}, source=JobSource(request_id="req-9"))
    await queue.wait(job.job_id, WAIT)
    worker.terminate()
    _, said = await end_of(worker)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    of_run = [line for line in lines if line.get("job_id") == job.job_id]
    assert [line["message"] for line in of_run] == ["task_started", "task_succeeded"]
    for line in of_run:
        assert (line["request_id"], line["task"], line["attempt"]) == ("req-9", "add", 1)
        assert line["worker"]

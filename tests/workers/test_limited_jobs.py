"""The limits of the settings, kept by a worker process: a job is told to tidy up, then ended."""

from datetime import timedelta

from flexiprice.domain.run import RunStatus
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from tests.workers.conftest import StartWorker
from tests.workers.test_run_history import Attempts, attempts, settings, until_recorded
from tests.workers.toy_tasks import HOLD, SLEEP, STUBBORN

WAIT = timedelta(seconds=120)
__all__ = ["attempts", "settings"]


async def test_what_runs_too_long_is_told_so_then_ended_and_the_next_job_runs(
    start_worker: StartWorker, queue: TaskQueue, attempts: Attempts
) -> None:
    # Far enough apart for a busy machine to notice the one before the other.
    start_worker(soft_time_limit="1", time_limit="6")
    tidy = await queue.enqueue(HOLD)
    stubborn = await queue.enqueue(STUBBORN)

    ends = [await queue.wait(job.job_id, WAIT) for job in (tidy, stubborn)]
    after = await queue.enqueue(SLEEP)

    assert [end.error and end.error.code for end in ends] == ["soft_time_limit", "timeout"]
    assert (await queue.wait(after.job_id, WAIT)).status is JobStatus.SUCCEEDED
    (told,) = await until_recorded(attempts, tidy.job_id, RunStatus.FAILED)
    (ended,) = await until_recorded(attempts, stubborn.job_id, RunStatus.FAILED)
    assert (told.error_code, ended.error_code) == ("soft_time_limit", "timeout")
    assert told.ran is not None
    assert ended.ran is not None
    assert told.ran >= timedelta(seconds=1)
    assert ended.ran >= timedelta(seconds=6)
    assert told.ran < ended.ran
    assert told.traceback is not None

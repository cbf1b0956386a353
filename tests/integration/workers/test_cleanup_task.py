"""The nightly cleanup deletes old runs and receipts by the setting."""

from datetime import UTC, datetime, timedelta

from flexiprice.pricing.cleanup import CleanupSummary
from flexiprice.queue.declarations import NoArguments
from flexiprice.resources import open_resources
from flexiprice.runs.fencing import register_worker
from flexiprice.runs.query import list_runs
from flexiprice.runs.recording import record_runs
from flexiprice.settings import load_settings
from tests.support.run_records import NOON, ended, started
from workers.runtime.jobs.task import TaskContext
from workers.tasks import cleanup_expired_discounts

MINUTE = timedelta(minutes=1)


async def test_the_cleanup_deletes_runs_when_their_time_is_over(database_url: str, redis_url: str) -> None:
    settings = load_settings(
        env_files=(), database_url=database_url, redis_url=redis_url, run_history_retention_days=7
    )
    week_ago = datetime.now(UTC) - timedelta(days=7)
    async with open_resources(settings, program="flexiprice-tests") as resources:
        async with resources.sessions.begin() as session:
            old, young = (
                ended(started(started_at=week_ago - MINUTE)),
                ended(started(started_at=week_ago + MINUTE)),
            )
            await record_runs(session, [old, young])
            await register_worker(session, worker_id="one", host="till", pid=7, started_at=NOON)
        run = TaskContext(job_id="job", enqueued_at=NOON, worker_id="one", attempt=1, resources=resources)
        summary = await cleanup_expired_discounts.body(run, NoArguments())
        assert isinstance(summary, CleanupSummary)
        async with resources.sessions.begin() as session:
            assert [left.run_id for left in await list_runs(session)] == [young.run_id]

"""The JSON of commands has the API's words for the fields of records, and leaves data as it is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.schemas.operations import RetriedTaskOut, RevokedTaskOut, TaskDetailsOut
from api.schemas.runs import RunOut
from api.schemas.workers import RunningTaskOut, WorkerOut
from flexiprice.cli.json_words import in_api_words
from flexiprice.domain.run import RunTrigger
from flexiprice.queue.admin.retry import Retried, RetryOutcome
from flexiprice.queue.admin.revoke import Revoked, RevokeOutcome
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.queue.worker.heartbeat import LiveWorker, RunningJob
from flexiprice.settings import Queue

NOW = datetime(2025, 3, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    job_id: str = "a"
    status: str = "failed"
    arguments: dict[str, object] = field(default_factory=lambda: {"job_id": 1, "state": [{"state": 2}]})


def test_fields_of_records_are_renamed_and_keys_of_data_are_not():
    data = {"job_id": 1, "state": [{"state": 2}]}
    assert in_api_words([Run()]) == [{"task_id": "a", "status": "failed", "arguments": data}]
    assert in_api_words({"state": Run(), "more": (1, "x", None)}) == {
        "state": {"task_id": "a", "status": "failed", "arguments": data},
        "more": [1, "x", None],
    }


def test_a_task_a_worker_and_what_came_of_a_change_have_the_keys_of_the_api():
    source = JobSource(trigger=RunTrigger.CLI, parent_job_id="p", actor="night")
    job = JobInfo(
        job_id="a", task="t", queue=Queue.DISCOUNTS, status=JobStatus.QUEUED, ready=False, source=source
    )
    running = RunningJob(job_id="a", task="t", queue=Queue.DISCOUNTS, attempt=1, started_at=NOW)
    worker = LiveWorker(
        worker_id="w",
        host="h",
        pid=1,
        queues=(),
        tasks=(),
        version="1",
        concurrency=1,
        started_at=NOW,
        seen_at=NOW,
    )
    for record, schema in (
        (job, TaskDetailsOut),
        (running, RunningTaskOut),
        (worker, WorkerOut),
        (Revoked(job_id="a", outcome=RevokeOutcome.ENDED, message="", status=None), RevokedTaskOut),
        (Retried(job_id="a", outcome=RetryOutcome.ENQUEUED, new_job_id="b", message=""), RetriedTaskOut),
    ):
        shown = in_api_words(record)
        assert shown.keys() >= schema.model_fields.keys(), schema
        assert not {"job_id", "state", "source"} & shown.keys()
    assert {"task_id", "status"} <= RunOut.model_fields.keys()

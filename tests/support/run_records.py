"""Plain records of runs; a test changes what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.runs.recording import RunRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def started(**differences: Any) -> RunRecord:
    """A run that has just begun."""
    record = RunRecord(
        run_id=uuid4(),
        task="recompute_all_discounts",
        job_id=uuid4().hex,
        worker_id="till-1-77-abcdef",
        attempt=1,
        status=RunStatus.RUNNING,
        started_at=NOON,
        queue="discounts",
        trigger=RunTrigger.SCHEDULE,
        arguments={"days_threshold": 30},
        enqueued_at=NOON - SECOND,
    )
    return replace(record, **differences)


def ended(record: RunRecord, status: RunStatus = RunStatus.SUCCEEDED, **differences: Any) -> RunRecord:
    """The same run at its end, two seconds later."""
    end = {"status": status, "finished_at": record.started_at + 2 * SECOND}
    return replace(record, **{**end, **differences})

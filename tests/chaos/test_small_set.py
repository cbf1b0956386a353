"""The faults that every check injects; `make faults` injects all and prints their outcomes."""

from pathlib import Path

import pytest

from tests.chaos import queue_faults, worker_faults
from tests.chaos.harness import open_harness

pytestmark = pytest.mark.faults

SMALL_SET = (
    worker_faults.kill_one_of_two_mid_recompute,
    worker_faults.pause_past_the_lease,
    worker_faults.kill_between_commit_and_acknowledgement,
    queue_faults.corrupt_bytes,
    queue_faults.poisoned_entries,
)


@pytest.mark.parametrize("fault", SMALL_SET, ids=lambda fault: fault.__name__)
async def test_fault_loses_nothing_doubles_nothing_and_work_continues(
    fault, database_url: str, redis_url: str, tmp_path: Path
):
    async with open_harness(database_url, redis_url, tmp_path) as harness:
        row = await fault(harness)

    assert row.is_safe, row

"""When a task counts as failing, by its own latest runs and nobody else's."""

from datetime import timedelta

import pytest

from flexiprice.domain.run import RunStatus
from flexiprice.runs.task_failures import EndedRun, FailingTask, judge
from tests.support.builders import NOON

HOUR = timedelta(hours=1)


def judged(how: str, *, scheduled: bool = False) -> FailingTask | None:
    """The failing tasks of runs an hour apart, the oldest first: `s` succeeded, `f` failed, `l` was lost."""
    states = {"s": RunStatus.SUCCEEDED, "f": RunStatus.FAILED, "l": RunStatus.LOST}
    runs = [
        EndedRun(status=states[letter], started_at=NOON + number * HOUR, error=f"error {number}")
        for number, letter in enumerate(how)
    ]
    return judge("count_stock", runs, scheduled=scheduled)


@pytest.mark.parametrize("how", ["", "s", "ff", "sff", "ssssssfsff", "fffs", "ffffs", "fssfsfssfs"])
def test_a_task_does_its_work_where_it_failed_twice_in_a_row_or_four_times_in_all(how: str) -> None:
    assert judged(how) is None


@pytest.mark.parametrize(
    ("how", "told", "since"),
    [
        ("fff", "count_stock failed the last 3 times it ran", 0),
        ("sssfsslff", "count_stock failed the last 3 times it ran", 6),
        ("fsfsfsfsfs", "count_stock failed in 5 of its last 10 runs", 0),
        ("sssffsffsf", "count_stock failed in 5 of its last 10 runs", 3),
        ("fffffffsff", "count_stock failed in 9 of its last 10 runs", 0),
        # Runs before the last ten do not count.
        ("fffffsssssssfff", "count_stock failed the last 3 times it ran", 12),
    ],
)
def test_a_task_fails_where_its_last_three_runs_did_or_five_of_its_last_ten(
    how: str, told: str, since: int
) -> None:
    found = judged(how)
    assert found is not None
    assert (str(found), found.since) == (told, NOON + since * HOUR)
    assert not found.is_broken


def test_the_last_error_is_told_and_how_the_runs_ended() -> None:
    found = judged("slff")
    assert found is not None
    assert (found.error, found.statuses) == ("error 3", (RunStatus.FAILED, RunStatus.LOST))


def test_scheduled_task_is_reported_at_its_first_failure_and_broken_after_three() -> None:
    once = judged("ssssf", scheduled=True)
    assert once is not None
    assert (str(once), once.since, once.is_broken) == (
        "count_stock failed when it last ran",
        NOON + 4 * HOUR,
        False,
    )
    twice = judged("ssff", scheduled=True)
    assert str(twice) == "count_stock failed the last 2 times it ran"
    broken = judged("sfff", scheduled=True)
    assert broken is not None
    assert broken.is_broken
    assert judged("fffs", scheduled=True) is None

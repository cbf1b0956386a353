"""Series of the monitor's charts: outcomes, run times, depths and ages of queues, histograms."""

from datetime import UTC, datetime, timedelta

import pytest

from api.monitor.state.recent import STEP, WINDOW, RecentActivity
from api.monitor.state.series import OUTCOMES, ages, depths, histogram_bars, run_times, throughput
from api.monitor.state.snapshot import QueuePoint, ServerHealth, Snapshot
from flexiprice.domain.run import RunStatus
from flexiprice.runs.timeseries import TrendBucket
from flexiprice.settings import Queue

NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
THIS_STEP = NOW.replace(second=5)


def test_throughput_is_drawn_per_second_by_status() -> None:
    by_status = dict.fromkeys(RunStatus, 0) | {
        RunStatus.SUCCEEDED: 40,
        RunStatus.FAILED: 3,
        RunStatus.LOST: 2,
    }
    bucket = TrendBucket(
        starts_at=THIS_STEP, by_status=by_status, p50=timedelta(seconds=0.25), p95=timedelta(seconds=2)
    )
    recent = RecentActivity(at=NOW, trend=(bucket,), ended={}, schedule_runs={}, failures=())
    now = Snapshot(at=NOW, redis=ServerHealth(), database=ServerHealth(), recent=recent)
    drawn = throughput(now)
    assert (len(drawn.at), drawn.at[-1]) == (WINDOW // STEP, THIS_STEP)
    latest = {name: line[-1] for (name, _), line in zip(OUTCOMES, drawn.values, strict=True)}
    assert latest == {"succeeded": 8.0, "failed": 1.0, "tried again": 0, "revoked": 0, "running": 0}
    assert [line[-1] for line in run_times(now).values] == [0.25, 2.0]
    assert all(line[-2] is None for line in drawn.values)


def test_a_queue_is_drawn_at_the_step_in_which_it_was_seen() -> None:
    seen = QueuePoint(
        at=NOW - 2 * STEP,
        total={},
        waiting={Queue.DISCOUNTS: 7},
        oldest={Queue.DISCOUNTS: timedelta(seconds=90)},
    )
    now = Snapshot(at=NOW, redis=ServerHealth(), database=ServerHealth(), queue_points=(seen,))
    assert depths(now).values[0][-4:] == [None, 7, None, None]
    assert ages(now).values[0][-3] == 90.0


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        ((0, 0, 7, 0), (["< 2 ms", "< 1 s", "≥ 1 s"], [0, 7, 0])),
        ((7, 0, 0, 0), (["< 1 ms", "< 2 ms"], [7, 0])),
        ((0, 0, 0, 7), (["< 1 s", "≥ 1 s"], [0, 7])),
        ((1, 0, 2, 0), (["< 1 ms", "< 2 ms", "< 1 s", "≥ 1 s"], [1, 0, 2, 0])),
    ],
)
def test_a_histogram_shows_the_classes_that_hold_runs_and_their_neighbours(
    classes: tuple[int, ...], shown: tuple[list[str], list[int]]
) -> None:
    bounds = [timedelta(milliseconds=1), timedelta(milliseconds=2), timedelta(seconds=1)]
    assert histogram_bars(bounds, classes) == shown

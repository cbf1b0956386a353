"""The clock of Redis, carried on by a monotonic clock, and the drift of the machine's own."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from flexiprice.queue.redis.clock import ServerClock, drift_in_words
from workers.runtime.monitoring.clock_monitor import ClockMonitor, ClockZone


def observed(clock: ServerClock, ahead: float, *, took: float = 0.002) -> None:
    """Sets a clock's Redis so many seconds ahead of this machine."""
    answered = time.monotonic()
    clock.observe(time.time() + ahead - took / 2, asked=answered - took, answered=answered)


def seconds_ahead(clock: ServerClock) -> float:
    return (clock() - datetime.now(UTC)).total_seconds()


def test_clock_tells_the_time_of_redis_and_the_drift_of_the_machine() -> None:
    clock = ServerClock()
    assert abs(seconds_ahead(clock)) < 1
    assert clock.drift == timedelta(0)
    observed(clock, -3600)
    assert seconds_ahead(clock) == pytest.approx(-3600, abs=1)
    assert clock.drift.total_seconds() == pytest.approx(3600, abs=1)


def test_an_answer_that_took_long_changes_nothing_that_it_does_not_contradict() -> None:
    clock = ServerClock()
    observed(clock, 100)
    observed(clock, 102, took=10)
    assert seconds_ahead(clock) == pytest.approx(100, abs=1)
    observed(clock, 200, took=10)
    assert seconds_ahead(clock) == pytest.approx(200, abs=1)
    # It may be five seconds less.
    assert clock.drift.total_seconds() == pytest.approx(-195, abs=1)


def test_clock_reports_once_that_redis_set_its_clock_back() -> None:
    told: list[str] = []
    clock = ServerClock(on_set_back=lambda: told.append("back"))
    for ahead in (0, 3600, 3600, 0, 0):
        observed(clock, ahead)
    assert told == ["back"]


def test_beyond_a_minute_nothing_is_scheduled_until_the_clock_is_mended() -> None:
    mended: list[str] = []
    clock = ServerClock()
    watch = ClockMonitor(clock, on_mended=lambda: mended.append("mended"))
    refused = []
    for ahead in (0, 30, 86_400, 86_400, -86_400, 30, 0):
        observed(clock, ahead)
        watch.check()
        refused.append(watch.refuses)
    assert refused == [False, False, True, True, True, False, False]
    assert mended == ["mended"]


def test_arq_hears_the_instant_from_the_zone_that_it_is_given() -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert datetime.now(tz=ClockZone(lambda: noon)) == noon


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2.5, "2.5 s ahead of"), (-3600, "60 min behind"), (86_400, "24 h ahead of"), (-864_000, "10 d behind")],
)
def test_a_drift_is_told_in_words(seconds: float, words: str) -> None:
    assert drift_in_words(timedelta(seconds=seconds)) == words

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flexiprice.queue.cron import next_tick

HOURLY = "0 * * * *"
NIGHTLY = "30 2 * * *"


def local(year: int, month: int, day: int, hour: int, minute: int, zone: str, fold: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def ticks(crontab: str, zone: str, first: datetime, last: datetime) -> list[datetime]:
    """All ticks after `first` and not after `last`."""
    found: list[datetime] = []
    tick = next_tick(crontab, zone, first)
    while tick <= last:
        found.append(tick)
        tick = next_tick(crontab, zone, tick)
    return found


def test_a_tick_is_the_first_instant_after():
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)

    assert next_tick(HOURLY, "UTC", noon) == noon + timedelta(hours=1)
    assert next_tick(HOURLY, "UTC", noon - timedelta(microseconds=1)) == noon
    assert next_tick("0 */6 * * *", "UTC", noon) == noon + timedelta(hours=6)


def test_the_day_of_month_or_the_day_of_week_is_enough_where_both_are_given():
    assert ticks(
        "0 0 13 * 5", "UTC", datetime(2024, 8, 31, tzinfo=UTC), datetime(2024, 9, 14, tzinfo=UTC)
    ) == [
        datetime(2024, 9, 6, tzinfo=UTC),
        datetime(2024, 9, 13, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("zone", "spring", "autumn"),
    [
        ("Europe/Berlin", datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 27, tzinfo=UTC)),
        ("America/New_York", datetime(2024, 3, 10, 5, tzinfo=UTC), datetime(2024, 11, 3, 4, tzinfo=UTC)),
    ],
)
def test_an_hourly_line_runs_once_every_real_hour_when_the_clock_changes(
    zone: str, spring: datetime, autumn: datetime
):
    for midnight in (spring, autumn):
        hours = [midnight + timedelta(hours=hour) for hour in range(1, 7)]
        assert ticks(HOURLY, zone, midnight, hours[-1]) == hours


def test_a_fixed_time_in_the_hour_that_is_skipped_runs_at_the_first_instant_after_it():
    zone = "Europe/Berlin"

    assert ticks(NIGHTLY, zone, local(2024, 3, 30, 12, 0, zone), local(2024, 4, 1, 12, 0, zone)) == [
        local(2024, 3, 31, 3, 0, zone),
        local(2024, 4, 1, 2, 30, zone),
    ]


def test_two_fixed_times_in_the_hour_that_is_skipped_are_one_tick():
    zone = "Europe/Berlin"

    assert ticks("0,30 2 * * *", zone, local(2024, 3, 31, 0, 0, zone), local(2024, 3, 31, 12, 0, zone)) == [
        local(2024, 3, 31, 3, 0, zone)
    ]


def test_a_fixed_time_in_the_hour_that_is_repeated_runs_once():
    zone = "America/New_York"

    assert ticks("30 1 * * *", zone, local(2024, 11, 2, 12, 0, zone), local(2024, 11, 4, 12, 0, zone)) == [
        local(2024, 11, 3, 1, 30, zone, fold=0),
        local(2024, 11, 4, 1, 30, zone),
    ]


def test_a_worker_that_starts_in_the_repeated_hour_does_not_go_back_in_time():
    zone = "Europe/Berlin"
    second_time_round = local(2024, 10, 27, 2, 10, zone, fold=1)

    assert next_tick(NIGHTLY, zone, second_time_round) == local(2024, 10, 28, 2, 30, zone)

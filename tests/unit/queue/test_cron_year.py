"""Schedules over a whole year with both clock changes, against an independent simulation of cron(8)."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from flexiprice.queue.cron import next_tick
from tests.support.cron_oracle import simulate


def utc(text: str) -> datetime:
    """An instant in UTC, written without its zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


START, END = utc("2027-01-01T00:00"), utc("2028-01-01T00:00")
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
HOURLY = ("0 * * * *", "30 * * * *")
DAILY = ("0 0 * * *", "59 1 * * *", "0 2 * * *", "30 2 * * *", "0 3 * * *")
CRONTABS = (
    *HOURLY,
    *DAILY,
    "0 */6 * * *",
    "0 */2 * * *",
    # Only the hours of the clock changes matter; whole days of quarters would take long.
    "*/15 1-3 * * *",
    "15 1,2,3 * * *",
    "0 6-20 * * MON-FRI",
    "30 8 * * 1-5",
    "0 0 1 * *",
    "30 2 1 */3 *",
    "0 5 13 * 5",
    "0 4 */2 * 1",
)


def ticks(crontab: str, zone: str, start: datetime = START, end: datetime = END) -> list[datetime]:
    """Every tick from one instant to before another."""
    found: list[datetime] = []
    tick = next_tick(crontab, zone, start - timedelta(seconds=1))
    while tick < end:
        found.append(tick)
        tick = next_tick(crontab, zone, tick)
    return found


@pytest.fixture(scope="module", params=[BERLIN, NEW_YORK])
def zone(request: pytest.FixtureRequest) -> str:
    """A zone whose clocks change twice a year."""
    return str(request.param)


@pytest.fixture(scope="module")
def year_of_cron(zone: str) -> dict[str, list[datetime]]:
    """The instants at which cron runs its lines in that year."""
    return simulate(CRONTABS, zone, START, END)


def test_every_schedule_ticks_exactly_when_cron_runs_it(
    zone: str, year_of_cron: dict[str, list[datetime]]
) -> None:
    assert {crontab: ticks(crontab, zone) for crontab in CRONTABS} == year_of_cron


def test_an_hourly_schedule_ticks_once_per_real_hour(
    zone: str, year_of_cron: dict[str, list[datetime]]
) -> None:
    for crontab in HOURLY:
        runs = year_of_cron[crontab]
        assert len(runs) == 365 * 24
        assert {later - earlier for earlier, later in pairwise(runs)} == {timedelta(hours=1)}


def test_a_daily_schedule_ticks_once_per_day_of_the_calendar(
    zone: str, year_of_cron: dict[str, list[datetime]]
) -> None:
    for crontab in DAILY:
        days = Counter(run.astimezone(ZoneInfo(zone)).date() for run in year_of_cron[crontab])
        # The zone's year begins and ends some hours beside that of UTC.
        assert len(days) in {365, 366}
        assert set(days.values()) == {1}


@pytest.mark.parametrize(
    ("zone_name", "crontab", "night", "expected"),
    [
        pytest.param(
            BERLIN, "30 2 * * *", "2027-03-28", ["01:00"], id="in the gap: at the first instant after it"
        ),
        pytest.param(
            BERLIN, "0 2 * * *", "2027-03-28", ["01:00"], id="at the beginning of the gap: likewise"
        ),
        pytest.param(BERLIN, "0 3 * * *", "2027-03-28", ["01:00"], id="at the end of the gap: once"),
        pytest.param(BERLIN, "*/30 2 * * *", "2027-03-28", [], id="with a star in the gap: not at all"),
        pytest.param(BERLIN, "30 2 * * *", "2027-10-31", ["00:30"], id="repeated: only the first time"),
        pytest.param(BERLIN, "0 3 * * *", "2027-10-31", ["02:00"], id="after what is repeated: once"),
        pytest.param(
            BERLIN,
            "*/30 2 * * *",
            "2027-10-31",
            ["00:00", "00:30", "01:00", "01:30"],
            id="with a star: both times",
        ),
        pytest.param(NEW_YORK, "30 2 * * *", "2027-03-14", ["07:00"], id="in the gap of New York"),
        pytest.param(NEW_YORK, "30 1 * * *", "2027-11-07", ["05:30"], id="repeated in New York"),
        pytest.param(NEW_YORK, "0 2 * * *", "2027-11-07", ["07:00"], id="after what is repeated in New York"),
    ],
)
def test_in_the_nights_of_clock_change_both_do_what_cron_says(
    zone_name: str, crontab: str, night: str, expected: list[str]
) -> None:
    start = utc(f"{night}T00:00") if zone_name == BERLIN else utc(f"{night}T04:00")
    end = start + timedelta(hours=6)
    instants = [utc(f"{night}T{time}") for time in expected]
    assert simulate([crontab], zone_name, start, end)[crontab] == instants
    assert ticks(crontab, zone_name, start, end) == instants


def test_a_tick_is_found_from_within_the_repeated_hour_too() -> None:
    second_pass = utc("2027-10-31T01:10")
    assert next_tick("30 2 * * *", BERLIN, second_pass) == utc("2027-11-01T01:30")
    assert next_tick("30 * * * *", BERLIN, second_pass) == utc("2027-10-31T01:30")

"""Dates are read where they are unambiguous, and refused elsewhere."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from flexiprice.catalog.imports.notation.cells import CellRefused
from flexiprice.catalog.imports.notation.dates import DateReader, Timestamps
from flexiprice.errors import InvalidInput

LAST_OF_MARCH = date(2031, 3, 31)


@pytest.mark.parametrize("cell", ["2024-09-19", "2024/09/19", "20240919", "2024-09-19 00:00:00"])
def test_dates_that_begin_with_the_year_need_no_format(cell: str) -> None:
    assert DateReader().read(cell) == date(2024, 9, 19)


@pytest.mark.parametrize(
    "cell",
    [
        "05/08/2024",
        "9/19/2024",
        "2024-13-01",
        "2024-02-30",
        "soon",
        "45554",
        "240919",
        "202409",
        "2024919",
        "2024-9-19",
        "2024-W38-4",
        "\u0662024-09-19",
    ],
)
def test_a_date_that_could_be_misread_is_refused_without_a_format(cell: str) -> None:
    with pytest.raises(CellRefused, match="is not a date that begins with the year"):
        DateReader().read(cell)


def test_several_date_formats_stand_side_by_side() -> None:
    dates = DateReader(["%m/%d/%Y", "%m-%d-%Y"])
    assert [dates.read("8/16/2024"), dates.read("05-08-2024")] == [date(2024, 8, 16), date(2024, 5, 8)]


def test_a_date_about_which_two_formats_disagree_is_refused() -> None:
    dates = DateReader(["%m/%d/%Y", "%d/%m/%Y"])
    assert dates.read("8/16/2024") == date(2024, 8, 16)
    assert dates.read("7/7/2024") == date(2024, 7, 7)
    with pytest.raises(CellRefused, match="2024-05-08 or 2024-08-05"):
        dates.read("05/08/2024")


def test_a_year_of_four_figures_that_nobody_means_is_refused() -> None:
    with pytest.raises(CellRefused, match="1970"):
        DateReader().read("0024-09-19")


@pytest.mark.parametrize("pattern", ["%d.%m.", "%Y-%m", "%H:%M", "whenever", "%Q", "%"])
def test_a_date_format_must_give_year_month_and_day(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="year, month and day"):
        DateReader([pattern])


@pytest.mark.parametrize("cell", ["310331", "203103", "310300", "310399"])
def test_six_digits_are_refused_with_the_option_that_reads_them(cell: str) -> None:
    with pytest.raises(CellRefused, match="--date-format %y%m%d"):
        DateReader().read(cell)


def test_six_digits_are_a_date_of_gs1_where_that_is_said() -> None:
    dates = DateReader(["%y%m%d"])
    assert dates.read("310331") == LAST_OF_MARCH
    # Day 00 is the last of the month.
    assert [dates.read(cell) for cell in ("310300", "280200", "310200")] == [
        LAST_OF_MARCH,
        date(2028, 2, 29),
        date(2031, 2, 28),
    ]
    for cell in ("203103", "311300", "310332", "31033", "3103311", "31 331", "20310331"):
        with pytest.raises(CellRefused, match="is not a date written as %y%m%d"):
            dates.read(cell)


@pytest.mark.parametrize(
    ("pattern", "taken", "refused"),
    [
        ("%d.%m.%Y", ["31.03.2031", "1.3.2031", "01.03.2031"], ["1.03.2031", "31.03.31", "31.3.02031"]),
        ("%m/%d/%y", ["3/31/31", "03/31/31"], ["3/31/2031", "3/31/031"]),
        ("%d%m%Y", ["31032031", "01032031"], ["1032031", "3132031", "132031"]),
        ("%d%m%y", ["310331"], ["31331", "1331"]),
        ("%d-%b-%Y", ["31-Mar-2031", "31-MAR-2031", "1-Mar-2031"], ["31-March-2031", "31-03-2031"]),
        ("%d %B %Y", ["31 March 2031"], ["31  March 2031", "31 March 31"]),
        ("%Y%j", ["2031090"], ["203190"]),
    ],
)
def test_a_given_format_reads_only_what_it_writes(pattern: str, taken: list[str], refused: list[str]) -> None:
    dates = DateReader([pattern])
    assert {dates.read(cell).year for cell in taken} == {2031}
    for cell in refused:
        with pytest.raises(CellRefused, match="is not a date written as"):
            dates.read(cell)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("31.03.2031", "--date-format %d.%m.%Y reads it"),
        ("3/31/31", "--date-format %m/%d/%y reads it"),
        ("5-8-2031", "--date-format %d-%m-%Y or %m-%d-%Y reads it"),
        ("2031-3-31", "--date-format %Y-%m-%d reads it"),
    ],
)
def test_a_date_that_needs_a_format_is_refused_with_those_that_read_it(cell: str, options: str) -> None:
    with pytest.raises(CellRefused, match=options):
        DateReader().read(cell)


MIDNIGHTS = [
    "2031-03-31T00:00:00Z",
    "2031-03-31T00:00:00+01:00",
    "2031-03-31T00:00:00-0800",
    "2031-03-31 00:00:00.000",
    "2031-03-31 00:00",
    "2031-03-31 00:00:00.000000000 UTC",
    "20310331T00:00:00",
    "2031/03/31 12:00:00 AM",
]


@pytest.mark.parametrize("timestamps", list(Timestamps))
@pytest.mark.parametrize("cell", MIDNIGHTS)
def test_midnight_with_any_offset_is_its_written_date(cell: str, timestamps: Timestamps) -> None:
    dates = DateReader(timestamps=timestamps)
    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati"):
        assert dates.read(cell, ZoneInfo(zone)) == LAST_OF_MARCH


def test_midnight_stands_behind_a_given_format_too() -> None:
    assert DateReader(["%m/%d/%Y"]).read("3/31/2031 12:00:00 AM") == LAST_OF_MARCH


@pytest.mark.parametrize(
    "cell",
    ["2031-03-31 14:23:11", "2031-03-31T00:00:00.001Z", "2031-03-31 00:00:00.0000001", "2031-03-31 12:00 PM"],
)
def test_another_time_of_day_is_refused_with_the_options_that_take_it(cell: str) -> None:
    with pytest.raises(CellRefused, match=r"--timestamps local .* --timestamps written"):
        DateReader().read(cell)
    assert DateReader(timestamps=Timestamps.WRITTEN).read(cell) == LAST_OF_MARCH
    assert DateReader(timestamps=Timestamps.LOCAL).read(cell) == LAST_OF_MARCH


def test_a_format_with_a_time_of_its_own_obeys_the_same_rule() -> None:
    pattern = "%Y-%m-%dT%H:%M:%S%z"
    with pytest.raises(CellRefused, match="--timestamps"):
        DateReader([pattern]).read("2031-03-30T23:00:00+0000")
    local = DateReader([pattern], Timestamps.LOCAL)
    assert local.read("2031-03-30T23:00:00+0000", ZoneInfo("Europe/Berlin")) == LAST_OF_MARCH


def test_an_instant_is_the_date_in_the_store_where_that_is_said() -> None:
    local, written = DateReader(timestamps=Timestamps.LOCAL), DateReader(timestamps=Timestamps.WRITTEN)
    late, early = "2031-03-30T23:00:00Z", "2031-04-01T02:30:00Z"
    assert local.read(late, ZoneInfo("Europe/Berlin")) == LAST_OF_MARCH
    assert local.read(early, ZoneInfo("America/New_York")) == LAST_OF_MARCH
    assert local.read(late, ZoneInfo("UTC")) == written.read(late) == date(2031, 3, 30)


@pytest.mark.parametrize(
    "cell",
    [
        "2031-03-31 24:00",
        "2031-03-31 12:60",
        "2031-03-31 13:00 PM",
        "2031-03-31 1",
        "2031-03-31T00:00:00+99:00",
    ],
)
def test_a_time_that_no_clock_shows_is_refused(cell: str) -> None:
    for timestamps in Timestamps:
        with pytest.raises(CellRefused, match="is not a date"):
            DateReader(timestamps=timestamps).read(cell)

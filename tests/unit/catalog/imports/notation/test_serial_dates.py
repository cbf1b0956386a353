"""Day numbers of spreadsheets are dates only where that is said; date cells of workbooks always are."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from flexiprice.catalog.imports.notation.cells import CellRefused
from flexiprice.catalog.imports.notation.dates import DateReader, Timestamps
from flexiprice.catalog.imports.notation.serial_dates import SerialDates
from flexiprice.catalog.imports.notation.typed_cells import DateText


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        # https://support.microsoft.com: 1 January 2008 is 39448.
        ("39448", date(2008, 1, 1)),
        (" 47847 ", date(2030, 12, 30)),
        ("47847.0", date(2030, 12, 30)),
    ],
)
def test_a_day_number_is_a_date_with_the_option(cell: str, day: date) -> None:
    assert DateReader(["excel"]).read(cell) == day
    assert DateReader(["%d.%m.%Y", "excel"]).read(cell) == day


@pytest.mark.parametrize(
    "cell", ["0", "1", "59", "60", "047847", "-47847", "47,847", "4.7E+4", "2958466", ""]
)
def test_other_numbers_are_no_day_numbers(cell: str) -> None:
    assert SerialDates().read(cell) is None


def test_day_numbers_reach_from_march_1900_to_the_end_of_9999() -> None:
    days = [SerialDates().read(cell) for cell in ("61", "2958465")]
    assert [found.day for found in days if found] == [date(1900, 3, 1), date(9999, 12, 31)]


def test_a_fraction_is_a_time_of_day_to_the_second() -> None:
    with pytest.raises(CellRefused, match=r"'47847.25' has a time of day: --timestamps local"):
        DateReader(["excel"]).read("47847.25")
    written = SerialDates().read("47847.25")
    assert written is not None
    assert written.time_of_day.isoformat() == "06:00:00"
    almost = SerialDates().read("47847.99999999")
    assert almost is not None
    assert (almost.day, almost.is_midnight) == (date(2030, 12, 31), True)
    assert SerialDates().read("2958465.99999999") is None


def test_without_the_option_the_error_names_it_and_the_date() -> None:
    hint = "a spreadsheet's day number for 2030-12-30 is read with --date-format excel"
    for reader in (DateReader(), DateReader(["%d.%m.%Y"])):
        with pytest.raises(CellRefused, match=hint):
            reader.read("47847")
    with pytest.raises(CellRefused) as refusal:
        DateReader().read("1234")
    assert "excel" not in str(refusal.value)


def test_a_date_cell_of_a_workbook_is_a_date_whatever_the_format_of_texts_is() -> None:
    cell = DateText.of(datetime(2030, 12, 30))  # noqa: DTZ001 - a workbook's moments have no zone
    assert cell == "2030-12-30"
    for reader in (DateReader(), DateReader(["%d.%m.%Y"]), DateReader(["excel"])):
        assert reader.read(cell) == date(2030, 12, 30)


def test_a_time_of_day_in_a_date_cell_needs_its_option() -> None:
    cell = DateText.of(datetime(2030, 12, 30, 23, 30))  # noqa: DTZ001 - as above
    with pytest.raises(CellRefused, match="'2030-12-30 23:30:00' has a time of day"):
        DateReader().read(cell)
    for timestamps in (Timestamps.WRITTEN, Timestamps.LOCAL):
        assert DateReader(timestamps=timestamps).read(cell, ZoneInfo("Asia/Tokyo")) == date(2030, 12, 30)


def test_a_date_cell_out_of_range_is_refused() -> None:
    with pytest.raises(CellRefused, match="1970"):
        DateReader().read(DateText.of(datetime(1900, 1, 1)))  # noqa: DTZ001 - as above

"""Numbers, durations and amounts as the monitor shows them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from api.monitor.format import amount, brief, count, duration, off, percent, rate, size, things


@pytest.mark.parametrize(
    ("told", "as_people_read_it"),
    [
        (count(1234567), "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"),
        (things(1, "batch"), "1 batch"),
        (things(0, "batch"), "0 batches"),
        (things(1, "unit", "expire"), "1 unit expires"),
        (things(2000, "unit", "expire"), "2\N{NARROW NO-BREAK SPACE}000 units expire"),
        (percent(0), "0%"),
        (percent(0.004), "0.4%"),
        (percent(1.25), "125%"),
        (size(0), "–"),
        (size(999), "999 B"),
        (size(1_000), "1.0 kB"),
        (size(94_300_000), "94 MB"),
        (size(12_000_000_000_000_000), "12000 TB"),
        (rate(59), "59/min"),
        (rate(90), "1.5/s"),
        (rate(6000), "100/s"),
        (duration(None), "–"),
        (duration(timedelta(milliseconds=7)), "7 ms"),
        (duration(timedelta(seconds=9.87)), "9.9 s"),
        (duration(timedelta(seconds=61)), "1 min 1 s"),
        (duration(timedelta(hours=25, minutes=10)), "1 d 1 h"),
    ],
)
def test_figures_are_formatted_for_people(told: str, as_people_read_it: str) -> None:
    assert told == as_people_read_it


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0.00"), ("4.5", "4.50"), ("7132.62", "7 132.62"), ("11426.40", "11 426"), ("-1.5", "-1.50")],
)
def test_an_amount_is_told_to_the_cent_unless_it_is_large(value: str, text: str) -> None:
    assert amount(Decimal(value)).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("7.4", "7"), ("999", "999"), ("2613.5", "2.6k"), ("126000", "126k"), ("3400000", "3.4M")],
)
def test_a_brief_amount_tells_its_size(value: str, text: str) -> None:
    assert brief(Decimal(value)) == text


def test_discount_is_shown_as_a_percentage_or_a_dash() -> None:
    assert (off(Decimal("0.4970")), off(Decimal(0))) == ("50%", "–")

"""A price over time is drawn as steps: it holds until it changes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flexiprice.cli.pricing.price_chart import draw_steps

START = datetime(2030, 5, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def test_every_price_is_labelled_and_stands_as_high_as_it_is() -> None:
    points = [(day(0), Decimal("5.00")), (day(4), Decimal("3.50")), (day(8), Decimal("5.00"))]
    chart = draw_steps(points, until=day(10), width=80).splitlines()
    high, low = (
        next(index for index, line in enumerate(chart) if label in line) for label in ("5.00", "3.50")
    )
    assert high < low
    assert all(len(line) <= 80 for line in chart)
    # The lower line covers the middle of the chart, and neither end of it.
    canvas = [line.partition("┤")[2] or line.partition("│")[2] for line in chart[low - 1 : low + 2]]
    drawn = [column for line in canvas for column, mark in enumerate(line) if mark in "▗▄▖▝▀▘▌▐▙▟▛▜█"]
    assert 0.3 < min(drawn) / 80 < 0.5
    assert 0.7 < max(drawn) / 80 < 0.85


def test_a_price_that_never_changed_is_one_line() -> None:
    chart = draw_steps([(day(0), Decimal("2.00"))], until=day(30), width=60)
    assert "2.00" in chart


def test_many_prices_have_few_labels() -> None:
    points = [(day(number), Decimal(number + 1)) for number in range(40)]
    chart = draw_steps(points, until=day(41), width=80)
    assert "1.00" in chart
    assert "40.00" in chart
    assert chart.count(".00") <= 6

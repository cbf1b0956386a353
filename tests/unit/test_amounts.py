"""Amounts as people read them."""

from decimal import Decimal

import pytest

from api.monitor.format import amount, brief, off


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


def test_what_is_taken_off_is_a_percentage_or_a_dash() -> None:
    assert (off(Decimal("0.4970")), off(Decimal(0))) == ("50%", "–")

"""Rounding of amounts to steps, and effective rates."""

from decimal import Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.domain.money import effective_rate, round_half_up, round_up

D = Decimal
amounts = st.decimals(min_value=0, max_value=D("1e13"), places=6)
steps = st.integers(min_value=1, max_value=10**12).map(lambda cents: D(cents).scaleb(-2))


@pytest.mark.parametrize(
    ("amount", "step", "rounded"),
    [
        ("1.005", "0.01", "1.01"),
        ("1.004999", "0.01", "1.00"),
        ("2.5", "5", "5"),
        ("2.499999", "5", "0"),
        ("0.035", "0.07", "0.07"),
        ("0.034999", "0.07", "0"),
        ("9999999999.995", "0.01", "10000000000.00"),
    ],
)
def test_the_middle_between_two_steps_goes_up(amount: str, step: str, rounded: str) -> None:
    assert round_half_up(D(amount), D(step)) == D(rounded)


@pytest.mark.parametrize(
    ("amount", "step", "rounded"),
    [("1.00", "0.01", "1.00"), ("1.000001", "0.01", "1.01"), ("0", "5", "0"), ("5.000001", "5", "10")],
)
def test_rounding_up_leaves_multiples_alone(amount: str, step: str, rounded: str) -> None:
    assert round_up(D(amount), D(step)) == D(rounded)


@given(amounts, steps)
def test_the_nearest_multiple_is_never_more_than_half_a_step_away(amount: Decimal, step: Decimal) -> None:
    with localcontext(prec=60):
        rounded = round_half_up(amount, step)
        assert rounded % step == 0
        assert -step / 2 < rounded - amount <= step / 2


@given(amounts, steps)
def test_the_next_multiple_is_less_than_a_step_away(amount: Decimal, step: Decimal) -> None:
    with localcontext(prec=60):
        rounded = round_up(amount, step)
        assert rounded % step == 0
        assert 0 <= rounded - amount < step


@pytest.mark.parametrize(
    ("price", "base_price", "rate"),
    [
        ("2.50", "5.00", "0.5000"),
        ("2.00", "3.00", "0.3333"),
        ("1.00", "3.00", "0.6667"),
        ("199.99", "200.00", "0.0001"),
        ("9999999999.98", "9999999999.99", "0.0000"),
    ],
)
def test_the_effective_rate_is_what_the_price_really_gives(price: str, base_price: str, rate: str) -> None:
    assert str(effective_rate(D(price), D(base_price))) == rate


def test_a_narrow_context_of_the_caller_takes_nothing_away() -> None:
    with localcontext(prec=3, traps=[Inexact]):
        assert round_half_up(D("9999999999.994"), D("0.01")) == D("9999999999.99")
        assert round_up(D("9999999999.981"), D("0.01")) == D("9999999999.99")
        assert effective_rate(D("0.01"), D("0.03")) == D("0.6667")

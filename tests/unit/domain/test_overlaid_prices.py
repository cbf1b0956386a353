"""The base prices of a store: its own where it has one, and that of all stores elsewhere."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flexiprice.domain.prior_price import PricePeriod, overlaid

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LAST = 12


def at(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


@st.composite
def histories(draw: st.DrawFn) -> list[PricePeriod]:
    """Periods in order, with gaps between some of them; the last may have no end."""
    hours = sorted(draw(st.sets(st.integers(0, LAST), max_size=6)))
    found = []
    for begins, ends in pairwise([*hours, None]):
        price = draw(st.sampled_from([None, 1, 2, 3]))
        if begins is not None and price is not None:
            found.append(PricePeriod(Decimal(price), at(begins), None if ends is None else at(ends)))
    return found


def price_at(periods: list[PricePeriod], moment: datetime) -> Decimal | None:
    for period in periods:
        if period.valid_from <= moment and (period.valid_to is None or moment < period.valid_to):
            return period.price
    return None


@given(histories(), histories())
def test_at_every_moment_the_own_price_holds_or_else_the_default(
    own: list[PricePeriod], default: list[PricePeriod]
) -> None:
    found = list(overlaid(own, default))
    for hour in range(LAST + 2):
        expected = price_at(own, at(hour))
        assert price_at(found, at(hour)) == (price_at(default, at(hour)) if expected is None else expected)


@given(histories(), histories())
def test_periods_are_in_order_without_overlap_and_each_ends_with_another_price(
    own: list[PricePeriod], default: list[PricePeriod]
) -> None:
    for period, following in pairwise(overlaid(own, default)):
        assert period.valid_to is not None
        assert period.valid_to <= following.valid_from
        assert period.valid_to < following.valid_from or period.price != following.price

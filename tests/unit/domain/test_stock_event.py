"""Sales are allocated to batches: by what names them, by the price paid, else by assumed customers."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from flexiprice.domain.stock_event import (
    DRAWS,
    AllocationGround,
    Candidate,
    allocate_sale,
    allocate_waste,
    moves_stock,
)

DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
UNIT = 1000


def batch(number: int, units: int = 10, *, reduced: str | None = None) -> Candidate:
    """A batch that expires so many days later."""
    price = None if reduced is None else Decimal(reduced)
    return Candidate(number, DAY + timedelta(days=number), units * UNIT, price)


def sold(units: int, *batches: Candidate, price: str | None = None, draw: int = 0) -> dict[int, int]:
    """Units of each batch that a sale lowers."""
    paid = None if price is None else Decimal(price)
    shares = allocate_sale(units * UNIT, batches, unit_price=paid, draw=draw)
    return {share.batch_id: share.quantity // UNIT for share in shares}


def ground(*batches: Candidate, price: str | None = None) -> AllocationGround:
    paid = None if price is None else Decimal(price)
    return allocate_sale(UNIT, batches, unit_price=paid, draw=0)[0].ground


def test_stock_moves_by_events_after_the_statement_and_not_by_earlier_ones() -> None:
    assert moves_stock(NOON + timedelta(seconds=1), NOON)
    assert not moves_stock(NOON, NOON)
    assert not moves_stock(NOON - timedelta(seconds=1), NOON)


def test_half_of_a_sale_takes_the_batch_that_expires_first_and_half_the_last() -> None:
    assert sold(4, batch(1), batch(2), batch(3)) == {1: 2, 3: 2}


def test_the_draw_decides_about_a_unit_that_cannot_be_split() -> None:
    assert sold(1, batch(1), batch(2), draw=0) == {1: 1}
    assert sold(1, batch(1), batch(2), draw=DRAWS - 1) == {2: 1}
    assert sold(3, batch(1), batch(2), draw=DRAWS - 1) == {1: 1, 2: 2}


def test_a_batch_that_is_sold_out_leaves_the_rest_to_its_neighbour() -> None:
    assert sold(8, batch(1, 1), batch(2, 9)) == {1: 1, 2: 7}


def test_units_beyond_the_stock_of_all_batches_lower_none() -> None:
    assert sold(9, batch(1, 2), batch(2, 3)) == {1: 2, 2: 3}
    assert sold(9) == {}


def test_a_reduced_price_names_the_only_batch_that_has_it() -> None:
    reduced = (batch(1), batch(2, reduced="1.50"), batch(3, reduced="1.00"))
    assert sold(4, *reduced, price="1.50") == {2: 4}
    assert ground(*reduced, price="1.50") is AllocationGround.PRICE


def test_among_batches_of_one_reduced_price_the_batch_is_assumed() -> None:
    reduced = (batch(1, reduced="1.50"), batch(2, reduced="1.50"), batch(3))
    assert sold(4, *reduced, price="1.50") == {1: 2, 2: 2}
    assert ground(*reduced, price="1.50") is AllocationGround.ASSUMED


def test_a_full_price_was_paid_for_a_batch_without_a_discount() -> None:
    assert sold(4, batch(1, reduced="1.50"), batch(2), price="3.00") == {2: 4}
    assert sold(4, batch(1, reduced="1.50"), price="3.00") == {1: 4}


def test_a_return_goes_to_one_batch_by_the_same_rules() -> None:
    assert sold(-1, batch(1), batch(2), draw=0) == {1: -1}
    assert sold(-1, batch(1), batch(2), draw=DRAWS - 1) == {2: -1}
    assert sold(-2, batch(1), batch(2, reduced="1.50"), price="1.50") == {2: -2}


def test_waste_takes_the_batches_that_expire_first() -> None:
    shares = allocate_waste(5 * UNIT, [batch(2), batch(1, 3)])
    assert [(share.batch_id, share.quantity) for share in shares] == [(1, 3 * UNIT), (2, 2 * UNIT)]


@given(
    quantity=st.integers(1, 50_000),
    balances=st.lists(st.integers(-5_000, 20_000), max_size=6),
    draw=st.integers(0, DRAWS - 1),
    share=st.fractions(0, 1, max_denominator=20),
)
def test_a_sale_never_takes_more_than_there_is_and_never_less_than_it_could(
    quantity: int, balances: list[int], draw: int, share: Fraction
) -> None:
    batches = [
        Candidate(number, DAY + timedelta(days=number), balance) for number, balance in enumerate(balances)
    ]
    shares = allocate_sale(quantity, batches, unit_price=None, draw=draw, fefo_share=share)
    stock = {candidate.batch_id: max(candidate.balance, 0) for candidate in batches}
    assert all(0 < part.quantity <= stock[part.batch_id] for part in shares)
    assert sum(part.quantity for part in shares) == min(quantity, sum(stock.values()))

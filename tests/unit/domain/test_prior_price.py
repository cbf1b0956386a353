"""The prior price: the lowest of the 30 days before a reduction began, by base prices and ledger lines."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flexiprice.domain.prior_price import (
    PricePeriod,
    ReducedPrice,
    Reduction,
    find_reduction,
    lowest_over_time,
    lowest_price,
    reduced_periods,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def base(price: str, since: float, until: float | None = None) -> PricePeriod:
    """A base price from some days after noon until some others."""
    return PricePeriod(Decimal(price), NOON + since * DAY, None if until is None else NOON + until * DAY)


def line(
    days: float, price: str | None, before: str, *, opened: bool = False, expires: float | None = None
) -> ReducedPrice:
    return ReducedPrice(
        decided_at=NOON + days * DAY,
        price=None if price is None else Decimal(price),
        previous_price=Decimal(before),
        opened=opened,
        expired_at=None if expires is None else NOON + expires * DAY,
    )


def test_prior_price_is_the_one_before_a_price_was_put_up() -> None:
    periods = [base("2.00", -100, -3), base("3.00", -3)]
    lines = [line(0, "1.50", "3.00", opened=True)]
    assert find_reduction(lines, periods) == Reduction(NOON, Decimal("2.00"))


def test_price_that_ended_30_days_before_the_reduction_does_not_count() -> None:
    lines = [line(0, "1.50", "3.00", opened=True)]
    for ended, prior in ((-30, "3.00"), (-29.999, "2.00")):
        found = find_reduction(lines, [base("2.00", -100, ended), base("3.00", ended)])
        assert found is not None
        assert found.prior_price == Decimal(prior)


def test_reduction_that_only_grows_keeps_its_first_prior_price() -> None:
    lines = [
        line(-4, "3.00", "4.00", opened=True),
        line(-2, "2.50", "3.00"),
        line(-1, "2.50", "2.50"),
        line(0, "1.00", "2.50"),
    ]
    periods = [base("4.00", -100), *reduced_periods(lines)]
    assert find_reduction(lines, periods) == Reduction(NOON - 4 * DAY, Decimal("4.00"))


def test_reduction_begins_anew_where_its_price_rises() -> None:
    lines = [line(-4, "1.00", "4.00", opened=True), line(-2, "2.00", "1.00"), line(-1, "1.80", "2.00")]
    periods = [base("4.00", -100), *reduced_periods(lines)]
    assert find_reduction(lines, periods) == Reduction(NOON - 2 * DAY, Decimal("1.00"))


def test_reduction_after_a_closed_one_is_another_and_the_closed_one_counts() -> None:
    lines = [
        line(-4, "1.00", "4.00", opened=True),
        line(-3, None, "1.00"),
        line(0, "2.00", "4.00", opened=True),
    ]
    periods = [base("4.00", -100), *reduced_periods(lines)]
    assert find_reduction(lines, periods) == Reduction(NOON, Decimal("1.00"))
    assert find_reduction(lines[:2], periods) is None
    assert find_reduction([], periods) is None


def test_ledger_tells_the_price_before_where_no_history_was_kept() -> None:
    lines = [line(0, "1.50", "3.00", opened=True)]
    assert find_reduction(lines, [base("5.00", 1)]) == Reduction(NOON, Decimal("3.00"))


def test_reduced_price_is_in_force_until_its_batch_expires_or_its_discount_closes() -> None:
    lines = [line(-4, "1.00", "4.00", opened=True, expires=-2), line(-1, None, "1.00", expires=-2)]
    assert reduced_periods(lines) == [PricePeriod(Decimal("1.00"), NOON - 4 * DAY, NOON - 2 * DAY)]
    late = [line(-1, "1.00", "4.00", opened=True, expires=-2)]
    assert reduced_periods(late) == []


def test_lowest_price_looks_from_start_until_just_before_end() -> None:
    periods = [base("1.00", -2, -1), base("2.00", -1, 0), base("0.50", 0)]
    assert lowest_price(periods, start=NOON - DAY, end=NOON) == Decimal("2.00")
    assert lowest_price(periods, start=NOON - 9 * DAY, end=NOON - 2 * DAY) is None


def test_lowest_over_time_tells_each_step_and_leaves_out_what_is_not_known() -> None:
    periods = [
        base("3.00", -7, -4),
        base("4.00", -4),
        base("2.00", -3, -1),
        base("2.00", -2, 0.5),
        base("1.00", 2),
        base("9.00", -20, -12),
    ]
    steps = lowest_over_time(periods, start=NOON - 10 * DAY, end=NOON + DAY)
    assert steps == [
        base("3.00", -7, -4),
        base("4.00", -4, -3),
        base("2.00", -3, 0.5),
        base("4.00", 0.5, 1),
    ]
    assert lowest_over_time(periods, start=NOON - 5 * DAY, end=NOON - 4.5 * DAY) == [base("3.00", -5, -4.5)]
    assert lowest_over_time(periods, start=NOON - 11 * DAY, end=NOON - 9 * DAY) == []


def test_gap_in_what_is_known_separates_equal_prices() -> None:
    periods = [base("3.00", -7, -5), base("3.00", -4, -2)]
    assert lowest_over_time(periods, start=NOON - 10 * DAY, end=NOON) == periods

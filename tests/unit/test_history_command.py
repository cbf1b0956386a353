"""The steps that `flexiprice history` draws: from what was recorded, never from a later base price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flexiprice.cli.history import known_steps
from flexiprice.domain.prior_price import PricePeriod
from flexiprice.services.price_history import PriceHistory, PricePoint

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def history(base: list[tuple[int, str]], points: list[tuple[int, str, str]]) -> PriceHistory:
    ends = [*(NOON + day * DAY for day, _ in base[1:]), None][: len(base)]
    return PriceHistory(
        sku="A",
        store="main",
        lowest_30_days=Decimal(1),
        reduction=None,
        base_prices=tuple(
            PricePeriod(Decimal(price), NOON + day * DAY, end)
            for (day, price), end in zip(base, ends, strict=True)
        ),
        snapshots=tuple(
            PricePoint(NOON + day * DAY, Decimal(price), Decimal(base_price))
            for day, price, base_price in points
        ),
    )


def told(found: PriceHistory, since: int) -> list[tuple[int, str, str]]:
    steps = known_steps(found, since=NOON + since * DAY)
    return [((moment - NOON).days, str(price), str(base)) for moment, price, base in steps]


def test_time_before_the_first_snapshot_has_the_base_price_of_that_time() -> None:
    found = history([(-9, "2.00"), (-3, "3.00")], [(-1, "1.50", "3.00")])
    assert told(found, -5) == [(-5, "2.00", "2.00"), (-3, "3.00", "3.00"), (-1, "1.50", "3.00")]


def test_base_price_that_changes_after_a_return_to_it_is_a_step() -> None:
    found = history([(-9, "2.00"), (-2, "4.00")], [(-4, "1.00", "2.00"), (-3, "2.00", "2.00")])
    assert told(found, -4) == [(-4, "1.00", "2.00"), (-3, "2.00", "2.00"), (-2, "4.00", "4.00")]


def test_time_of_which_no_price_is_known_is_left_out() -> None:
    assert told(history([(-2, "2.00")], []), -5) == [(-2, "2.00", "2.00")]
    assert told(history([], [(-2, "1.00", "2.00")]), -5) == [(-2, "1.00", "2.00")]
    assert told(history([], []), -5) == []

"""The curve of a policy is what `quote` takes off, day by day."""

from decimal import Decimal

from flexiprice.domain.discount_curve import CurvePoint, discount_curves
from flexiprice.domain.policy import parse_policy

_POLICY = parse_policy(
    {
        "floor_fraction": "0.25",
        "rules": [
            {"name": "soon", "days_to_expiry": {"max": 2}, "discount": "0.20"},
            {"name": "plenty", "days_to_expiry": {"max": 3}, "quantity": {"min": 50}, "discount": "0.30"},
        ],
        "categories": {
            "Bakery": {"rules": [{"name": "stale", "days_to_expiry": {"max": 0}, "discount": "0.60"}]}
        },
    }
)


def test_discount_curves_cover_the_default_and_each_category_with_own_rules() -> None:
    everything, bakery = discount_curves(_POLICY, base_price=Decimal("10.00"), quantity=5, days=3)
    assert (everything.category_key, bakery.category_key) == (None, "bakery")
    soon = [CurvePoint(day, Decimal("0.2000"), "soon") for day in (0, 1, 2)]
    assert everything.points == (*soon, CurvePoint(3, Decimal(0), None))
    assert bakery.points == (CurvePoint(0, Decimal("0.6000"), "stale"), *everything.points[1:])


def test_quantity_and_floors_shape_the_curve() -> None:
    [plenty, _] = discount_curves(_POLICY, base_price=Decimal("10.00"), quantity=50, days=3)
    assert [point.rule for point in plenty.points] == ["plenty"] * 4
    # A cent cannot be divided, so nothing is taken off a price of one cent.
    [worthless, _] = discount_curves(_POLICY, base_price=Decimal("0.01"), quantity=50, days=0)
    assert worthless.points == (CurvePoint(0, Decimal(0), None),)

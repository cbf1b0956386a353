"""The horizon of a policy: the most days before expiry with a discount."""

import pytest

from flexiprice.domain.policy import parse_policy
from flexiprice.domain.rule_coverage import horizon_of


def rule(name: str, discount: str, **days: int) -> dict[str, object]:
    return {"name": name, "discount": discount, "days_to_expiry": days}


@pytest.mark.parametrize(
    ("document", "horizon"),
    [
        ({}, 0),
        ({"rules": [rule("last day", "0.50", max=0)]}, 0),
        ({"rules": [rule("soon", "0.10", max=7), rule("sooner", "0.20", max=3)]}, 7),
        # A category may begin earlier than the rest.
        (
            {
                "rules": [rule("soon", "0.10", max=3)],
                "categories": {"cheese": {"rules": [rule("cheese", "0.10", max=9)]}},
            },
            9,
        ),
        # A rule of rate zero gives no discount.
        ({"rules": [rule("soon", "0.10", max=3), rule("fresh", "0", max=20)]}, 3),
        # Without an end, or with a later one, it ends where a recompute looks no further.
        ({"rules": [rule("always", "0.10", min=2)]}, 30),
        ({"rules": [rule("early", "0.10", max=90)]}, 30),
    ],
)
def test_policy_horizon_is_the_last_day_of_the_rule_that_begins_first(
    document: dict[str, object], horizon: int
) -> None:
    assert horizon_of(parse_policy(document), at_most=30) == horizon

"""The linter's shortcuts find exactly what looking at every single batch finds."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.domain.policy_lint import Severity, lint_policy
from flexiprice.domain.quantity import Unit
from flexiprice.domain.quote import deciding_rule

DAYS = range(8)
MOST = 8
# The ends of all ranges are whole numbers, so a half stands for all fractions next to it.
STOCK = {
    Unit.EACH: [Decimal(number) for number in range(1, MOST + 1)],
    Unit.KG: [Decimal(number) / 2 for number in range(1, 2 * MOST + 1)],
    # A unit that no rule names.
    Unit.L: [Decimal(number) / 2 for number in range(1, 2 * MOST + 1)],
}
BATCHES = [(day, quantity, unit) for day in DAYS for unit, stock in STOCK.items() for quantity in stock]
KEYS = ("bakery", "unknown")


def small_policy(random: Random) -> PricingPolicy:
    """A policy whose every range begins and ends within a few days and units."""
    names = iter(range(100))

    def some_range(last: int) -> dict[str, int]:
        low, high = sorted(random.randint(0, last) for _ in range(2))
        return {key: end for key, end in (("min", low), ("max", high)) if random.random() < 0.8}

    def rules() -> list[dict[str, object]]:
        return [
            {
                "name": f"rule {next(names)}",
                "days_to_expiry": some_range(DAYS[-2]),
                "quantity": some_range(MOST - 1),
                **random.choice(({}, {}, {}, {"unit": "each"}, {"unit": "kg"})),
                "discount": f"0.{random.randint(1, 5)}",
            }
            for _ in range(random.randint(0, 6))
        ]

    return parse_policy(
        {"rules": rules(), "categories": {"bakery": {"rules": rules()}}, "max_discount": "0.4"}
    )


policies = st.integers(0, 2**32).map(lambda seed: small_policy(Random(seed)))


@given(policies)
@settings(max_examples=120)
def test_a_rule_is_called_dead_exactly_if_no_batch_of_any_category_gets_it(policy: PricingPolicy) -> None:
    # Beyond the grid nothing changes any more, so its edges stand for all that lies there. A scope is
    # judged alone: a scope that gets no batch is no fault of its rules.
    alone = {
        "unknown": policy,
        "bakery": parse_policy({"categories": {"bakery": policy.document()["categories"]["bakery"]}}),  # type: ignore[index]
    }
    deciding = {
        rule.name
        for key, scope in alone.items()
        for batch in BATCHES
        if (rule := deciding_rule(scope, key, *batch)) is not None
    }
    dead = {
        finding.rules[0]
        for finding in lint_policy(policy)
        if finding.code == "dead_rule" and finding.severity is Severity.ERROR
    }
    assert dead == {rule.name for _, rule in policy.rules_with_paths()} - deciding


@given(policies)
@settings(max_examples=120)
def test_every_fall_of_a_discount_is_found_and_no_other(policy: PricingPolicy) -> None:
    falls = set[tuple[str, ...]]()
    named = {Unit.EACH, *(rule.unit for _, rule in policy.rules_with_paths())}
    for key in KEYS:
        for day, quantity, unit in BATCHES:
            if day == 0 or unit not in named:
                continue
            before = deciding_rule(policy, key, day, quantity, unit)
            after = deciding_rule(policy, key, day - 1, quantity, unit)
            rates = [min(rule.discount, policy.max_discount) if rule else 0 for rule in (before, after)]
            if rates[1] < rates[0]:
                falls.add(tuple(rule.name for rule in (before, after) if rule))
    found = {finding.rules for finding in lint_policy(policy) if finding.code == "falling_discount"}
    # The default scope is linted for batches of unknown categories, so both have its findings.
    assert found == falls

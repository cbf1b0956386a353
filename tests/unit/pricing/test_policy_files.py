"""Policies in YAML and JSON."""

import json
from decimal import Decimal

import pytest

from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.ranges import Range
from flexiprice.errors import InvalidPolicy
from flexiprice.pricing.policy_files import MAX_TEXT_LENGTH, parse_policy_text

EXAMPLE = """
max_discount: 0.70          # fraction of the base price
floor_fraction: 0.25        # never below this fraction of the base price
min_margin_over_cost: null  # e.g. 0.05: never below cost * 1.05, where the product has a cost
rounding_step: 0.01         # a multiple of 0.01
min_change: 0.01
price_only_down: true
rules:
  - {name: last day,  days_to_expiry: {max: 0},         discount: 0.50}
  - {name: overstock, days_to_expiry: {min: 1, max: 3}, quantity: {min: 50}, discount: 0.40}
categories:
  bakery:
    floor_fraction: 0.20
    rules:
      - {name: bakery last day, days_to_expiry: {max: 0}, discount: 0.70}
"""


def problem(text: str) -> str:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy_text(text)
    return str(caught.value)


def test_yaml_and_json_say_the_same() -> None:
    policy = parse_policy_text(EXAMPLE)
    assert [rule.name for _, rule in policy.rules_with_paths()] == [
        "last day",
        "overstock",
        "bakery last day",
    ]
    assert policy.rules[1].days_to_expiry == Range(min=1, max=3)
    for indent in (None, 2, "\t"):
        assert parse_policy_text(json.dumps(policy.document(), indent=indent)) == policy


@pytest.mark.parametrize("text", ["max_discount: 0.1", '{"max_discount": 0.1}', "{max_discount: .1}"])
def test_no_number_passes_through_a_float(text: str) -> None:
    # A float would have swallowed the last digit, and with it the mistake.
    assert parse_policy_text(text).max_discount == Decimal("0.1")
    long = text.replace(".1", ".10000000000000000001")
    assert "no more than 4 decimal places" in problem(long)


@pytest.mark.parametrize("name", ["no", "on", "1:30", "2024-01-01", "=", "1_000", "0x1F"])
def test_words_that_old_yaml_would_bend_stay_words(name: str) -> None:
    assert parse_policy_text(f"rules: [{{name: {name}, discount: 0.5}}]").rules[0].name == name


def test_a_name_beyond_the_basic_plane_may_be_escaped_as_json_does() -> None:
    policy = parse_policy_text('{"rules": [{"name": "\\ud83e\\udd50", "discount": 0.5}]}')
    assert policy.rules[0].name == "🥐"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("max_discount: 0.1\nmax_discount: 0.2", "line 2, column 1: repeated key 'max_discount'"),
        ('{"max_discount": 0.1, "max_discount": 0.1}', "repeated key 'max_discount'"),
        ("rules: &a []\ncategories: {x: {rules: *a}}", "line 2, column 25: anchors and aliases"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 40_000, "nested too deeply"),
        ("rules: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("rules: [", "line 1"),
        ("? [a]\n: b", "a key must be text"),
        ("1: 2", "a key must be text"),
        ("max_discount: .nan", "max_discount: should be a number"),
        ('{"max_discount": NaN}', "max_discount: should be a finite number"),
        ('{"max_discount": ' + "9" * 5000 + "}", "max_discount"),
        ("max_discount: 1e-999", "max_discount"),
        ("max_discount: 0.5\0", "cannot be read"),
        ("", "a policy is a mapping"),
        ("- 1", "a policy is a mapping"),
        ("just words", "a policy is a mapping"),
        ("#" * (MAX_TEXT_LENGTH + 1), "longer than"),
    ],
)
def test_text_that_is_no_policy_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert reason in problem(text)


def test_an_empty_mapping_is_a_policy_without_discounts() -> None:
    assert parse_policy_text("{}") == PricingPolicy()

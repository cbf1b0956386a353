"""A policy that is printed can be stored again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.cli.pricing.policy_yaml import policy_yaml
from flexiprice.domain.policy import parse_policy
from flexiprice.errors import InvalidPolicy
from flexiprice.pricing.policy_files import default_policy, parse_policy_text


def test_the_default_policy_reads_back_equal() -> None:
    assert parse_policy_text(policy_yaml(default_policy())) == default_policy()


def test_a_rule_stands_on_one_line_and_numbers_without_quotes() -> None:
    assert "- {name: last day, days_to_expiry: {max: 0}, discount: 0.50}" in policy_yaml(default_policy())


@pytest.mark.parametrize(
    "name", ["1e3", "0x1F", "no", "null", "- a", "a: b", "*x", "1:30", "'", '"', "é", "🥐", "~"]
)
def test_awkward_names_stay_names(name: str) -> None:
    policy = parse_policy({"rules": [{"name": name, "discount": "0.5"}], "categories": {name: {"rules": []}}})
    assert parse_policy_text(policy_yaml(policy)) == policy


@given(st.text(min_size=1, max_size=20))
def test_any_name_stays_a_name(name: str) -> None:
    try:
        policy = parse_policy({"rules": [{"name": name, "discount": "0.5"}]})
    except InvalidPolicy:
        return
    assert parse_policy_text(policy_yaml(policy)) == policy

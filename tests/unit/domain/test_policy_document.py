"""Validation of policy documents: defaults, bounds, places of problems."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from flexiprice.domain.policy import CategoryScope, PricingPolicy, parse_policy
from flexiprice.domain.policy_lint import Severity
from flexiprice.domain.ranges import Range
from flexiprice.errors import InvalidPolicy
from flexiprice.pricing.policy_files import lint_policy_text


def rule(name: str = "a rule", **changes: object) -> dict[str, object]:
    return {"name": name, "discount": "0.5", **changes}


def problems(document: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(document)
    return {problem.path: problem.reason for problem in caught.value.problems}


def test_omitted_policy_fields_have_defaults() -> None:
    policy = parse_policy({})
    assert (policy.max_discount, policy.floor_fraction) == (Decimal("0.70"), Decimal("0.25"))
    assert (policy.rounding_step, policy.min_change) == (Decimal("0.01"), Decimal("0.01"))
    assert policy.min_margin_over_cost is None
    assert policy.price_only_down


def test_a_document_reads_back_equal() -> None:
    policy = parse_policy(
        {
            "max_discount": "0.9",
            "min_margin_over_cost": "0.0525",
            "rounding_step": "0.05",
            "price_only_down": False,
            "rules": [rule(days_to_expiry={"max": 3}, quantity={"min": 1, "max": 9})],
            "categories": {"Bakery ": {"floor_fraction": "0.1", "rules": [rule("other")]}, "dairy": {}},
        }
    )
    assert parse_policy(policy.document()) == policy


def test_decimals_leave_as_strings_so_that_json_cannot_bend_them() -> None:
    document = parse_policy({"max_discount": Decimal("0.1")}).document()
    assert document["max_discount"] == "0.1"


def test_a_number_that_came_as_a_float_means_what_was_written() -> None:
    assert parse_policy({"max_discount": 0.1}).max_discount == Decimal("0.1")


def test_the_version_is_no_part_of_the_document() -> None:
    policy = parse_policy({}).with_version(3)
    assert policy.version == 3
    assert parse_policy({}).version is None
    assert "version" not in policy.document()
    assert problems({"version": 3}) == {"version": "unknown key"}


def test_a_new_version_leaves_the_old_policy_as_it_was() -> None:
    policy = parse_policy({}).with_version(3)
    assert policy.with_version(4).version == 4
    assert policy.version == 3


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        parse_policy({}).max_discount = Decimal(0)  # type: ignore[misc]


def test_categories_are_known_by_their_key() -> None:
    policy = parse_policy({"categories": {"  CAFE\u0301 ": {}}})
    assert policy.categories == {"café": CategoryScope()}


def test_two_categories_with_one_key_are_refused() -> None:
    assert "same category" in problems({"categories": {"Bakery": {}, " bakery": {}}})["categories"]


def test_a_rule_name_is_used_once_in_the_whole_policy() -> None:
    found = problems({"rules": [rule("x")], "categories": {"bakery": {"rules": [rule("x"), rule("y")]}}})
    assert found == {"": "each rule needs a unique name, but 'x' at rules[0], categories.bakery.rules[0]"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"max_discount": "1"}, "max_discount"),
        ({"max_discount": "-0.1"}, "max_discount"),
        ({"max_discount": "0.12345"}, "max_discount"),
        ({"max_discount": True}, "max_discount"),
        ({"max_discount": "NaN"}, "max_discount"),
        ({"floor_fraction": "1.0001"}, "floor_fraction"),
        ({"min_margin_over_cost": "101"}, "min_margin_over_cost"),
        ({"rounding_step": "0"}, "rounding_step"),
        ({"rounding_step": "0.015"}, "rounding_step"),
        ({"rounding_step": "10000000000"}, "rounding_step"),
        ({"min_change": "-0.01"}, "min_change"),
        ({"min_change": "0.001"}, "min_change"),
        ({"price_only_down": "yes"}, "price_only_down"),
        ({"rules": 3}, "rules"),
        ({"rules": [{"name": "x"}]}, "rules[0].discount"),
        ({"rules": [rule(discount="1")]}, "rules[0].discount"),
        ({"rules": [rule("")]}, "rules[0].name"),
        ({"rules": [rule(" ")]}, "rules[0].name"),
        ({"rules": [rule("x" * 101)]}, "rules[0].name"),
        ({"rules": [rule("two\nlines")]}, "rules[0].name"),
        ({"rules": [rule("\ud800")]}, "rules[0].name"),
        ({"rules": [rule(days_to_expiry={"max": 366})]}, "rules[0].days_to_expiry"),
        ({"rules": [rule(days_to_expiry={"min": -1})]}, "rules[0].days_to_expiry.min"),
        ({"rules": [rule(days_to_expiry={"max": 1.5})]}, "rules[0].days_to_expiry.max"),
        ({"rules": [rule(days_to_expiry={"max": True})]}, "rules[0].days_to_expiry.max"),
        ({"rules": [rule(days_to_expiry={"min": 3, "max": 2})]}, "rules[0].days_to_expiry"),
        ({"rules": [rule(quantity={"max": 2_147_483_648})]}, "rules[0].quantity.max"),
        ({"rules": [rule(quantity={"min": "1.2345"})]}, "rules[0].quantity.min"),
        ({"rules": [rule(quantity={"min": "a few"})]}, "rules[0].quantity.min"),
        ({"rules": [rule(quantity={"min": 3, "max": 2})]}, "rules[0].quantity"),
        ({"rules": [rule(unit="dozen")]}, "rules[0].unit"),
        ({"rules": [rule(unit="each", quantity={"min": "1.5"})]}, "rules[0].unit"),
        ({"rules": [rule(qty={"max": 2})]}, "rules[0].qty"),
        ({"rules": [rule(str(n)) for n in range(101)]}, "rules"),
        ({"categories": {str(n): {} for n in range(501)}}, "categories"),
        ({"categories": {"x": {"max_discount": "0.5"}}}, "categories.x.max_discount"),
        ({"categories": {"x": {"rules": [rule(discount="x")]}}}, "categories.x.rules[0].discount"),
    ],
)
def test_each_problem_names_its_place(document: dict[str, object], path: str) -> None:
    assert list(problems(document)) == [path]


def test_all_problems_are_told_at_once() -> None:
    found = problems({"max_discount": "2", "colour": "red", "rules": [rule(""), rule("b", discount="x")]})
    assert sorted(found) == ["colour", "max_discount", "rules[0].name", "rules[1].discount"]


def test_the_rules_of_all_scopes_together_are_bounded() -> None:
    categories = {f"category {c}": {"rules": [rule(f"{c}/{n}") for n in range(100)]} for c in range(21)}
    assert "more than 2000 rules" in problems({"categories": categories})[""]


@pytest.mark.parametrize(
    ("numbers", "inside", "outside"),
    [
        (Range(), [0, 5, 10**9], []),
        (Range(min=2), [2, 3], [1]),
        (Range(max=2), [0, 2], [3]),
        (Range(min=2, max=2), [2], [1, 3]),
    ],
)
def test_ranges_include_both_ends(numbers: Range, inside: list[int], outside: list[int]) -> None:
    assert all(number in numbers for number in inside)
    assert not any(number in numbers for number in outside)


def test_a_policy_made_in_code_obeys_the_same_rules() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        PricingPolicy(max_discount=Decimal(1))


@pytest.mark.parametrize("step", ["0.99", "0.03", "0.30", "0.07", "1.50", "2.50", "4.99", "9999999999.99"])
def test_a_step_that_gives_each_price_another_ending_is_refused_with_what_to_write(step: str) -> None:
    [(path, reason)] = problems({"rounding_step": step}).items()
    assert path == "rounding_step"
    multiples = ", ".join(str(factor * Decimal(step)) for factor in (1, 2, 3))
    assert f"{step} is no step for prices: they would be {multiples}" in reason
    assert "divides 1.00 (0.01, 0.02, 0.05" in reason
    [finding] = lint_policy_text(f"rounding_step: {step}")
    assert (finding.severity, reason in finding.message) == (Severity.ERROR, True)


@pytest.mark.parametrize(
    "step", ["0.01", "0.02", "0.04", "0.05", "0.1", "0.20", "0.25", "0.5", "1.00", "2", "5", "10", "250"]
)
def test_a_step_after_which_prices_end_alike_is_taken(step: str) -> None:
    assert parse_policy({"rounding_step": step}).rounding_step == Decimal(step)

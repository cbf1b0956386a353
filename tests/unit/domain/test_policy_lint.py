"""Errors and warnings of the policy linter, and policies without any."""

from flexiprice.domain.policy import parse_policy
from flexiprice.domain.policy_lint import PolicyFinding, Severity, lint_policy
from flexiprice.pricing.policy_files import default_policy_text, lint_policy_text


def rule(name: str, discount: str, days: object = None, quantity: object = None) -> dict[str, object]:
    ranges = {"days_to_expiry": days, "quantity": quantity}
    return {"name": name, "discount": discount} | {key: given for key, given in ranges.items() if given}


def lint(*rules: object, **changes: object) -> list[PolicyFinding]:
    return lint_policy(parse_policy({"rules": list(rules), **changes}))


def only(findings: list[PolicyFinding]) -> PolicyFinding:
    assert len(findings) == 1, findings
    return findings[0]


def test_the_default_policy_has_neither_errors_nor_warnings() -> None:
    assert lint_policy_text(default_policy_text()) == []


def test_unknown_keys_are_errors() -> None:
    finding = only(lint_policy_text("floor: 0.3"))
    assert (finding.severity, finding.code, finding.message) == (
        Severity.ERROR,
        "unknown_key",
        "floor: unknown key",
    )


def test_duplicate_names_are_errors() -> None:
    text = "rules: [{name: a, discount: 0.1}, {name: a, discount: 0.2}]"
    finding = only(lint_policy_text(text))
    assert (finding.severity, finding.code, finding.rules) == (Severity.ERROR, "duplicate_name", ("a",))


def test_duplicate_keys_are_errors() -> None:
    finding = only(lint_policy_text("rules: []\nrules: []"))
    assert (finding.severity, finding.code) == (Severity.ERROR, "duplicate_name")


def test_text_that_is_no_policy_is_an_error() -> None:
    finding = only(lint_policy_text("rules: ["))
    assert (finding.severity, finding.code) == (Severity.ERROR, "invalid")


class TestRulesThatNeverDecide:
    def test_a_rule_inside_a_larger_discount_is_dead(self) -> None:
        finding = only(lint(rule("wide", "0.3", {"max": 5}), rule("narrow", "0.2", {"min": 2, "max": 3})))
        assert (finding.severity, finding.code) == (Severity.ERROR, "dead_rule")
        assert finding.rules == ("narrow", "wide")
        assert finding.example == "a batch with 2 days left and 1 in stock gets 'wide'"

    def test_second_of_two_equal_rules_is_dead(self) -> None:
        assert only(lint(rule("one", "0.3"), rule("two", "0.3"))).rules == ("two", "one")

    def test_several_rules_together_can_cover_one(self) -> None:
        findings = lint(
            rule("few", "0.3", {"max": 2}, {"max": 10}),
            rule("many", "0.4", {"max": 2}, {"min": 11}),
            rule("any", "0.2", {"max": 2}),
        )
        assert only(findings).rules == ("any", "many", "few")

    def test_a_gap_of_one_day_or_one_unit_keeps_a_rule_alive(self) -> None:
        assert lint(rule("late", "0.3", {"max": 1}), rule("early", "0.2", {"max": 2})) == []
        assert lint(rule("many", "0.3", None, {"min": 2}), rule("one", "0.2", None, {"max": 2})) == []

    def test_rule_that_asks_for_no_stock_is_dead(self) -> None:
        assert only(lint(rule("none", "0.3", None, {"max": 0}))).rules == ("none",)

    def test_a_stock_of_zero_does_not_keep_a_rule_alive(self) -> None:
        findings = lint(rule("some", "0.3", None, {"min": 1}), rule("all", "0.2"))
        assert only(findings).rules == ("all", "some")

    def test_rules_of_one_scope_do_not_kill_those_of_another(self) -> None:
        own = {"bakery": {"rules": [rule("bakery", "0.3")]}}
        assert lint(rule("default", "0.2"), categories=own) == []

    def test_a_cap_that_makes_discounts_equal_kills_no_rule(self) -> None:
        findings = lint(rule("a", "0.8"), rule("b", "0.9", {"max": 0}), max_discount="0.7")
        assert {finding.code for finding in findings} == {"capped_rule"}


class TestDiscountsThatFall:
    def test_a_smaller_discount_nearer_to_expiry_is_a_warning(self) -> None:
        finding = only(lint(rule("late", "0.1", {"max": 1}), rule("early", "0.2", {"min": 2, "max": 3})))
        assert (finding.severity, finding.code) == (Severity.WARNING, "falling_discount")
        assert finding.rules == ("early", "late")
        assert finding.example == "a batch with 2 days left and 1 in stock has 0.2 off, with 1 day left 0.1"

    def test_a_discount_that_ends_before_expiry_is_a_warning(self) -> None:
        assert only(lint(rule("early", "0.2", {"min": 1, "max": 3}))).rules == ("early",)

    def test_only_equal_quantities_are_compared(self) -> None:
        many = rule("many", "0.4", {"max": 3}, {"min": 50})
        assert lint(many, rule("any", "0.2", {"max": 3})) == []

    def test_a_fall_for_some_quantities_only_is_found_there(self) -> None:
        many = rule("many", "0.4", {"min": 1, "max": 3}, {"min": 50})
        finding = only(lint(many, rule("any", "0.2", {"max": 3})))
        assert finding.rules == ("many", "any")
        assert "50 in stock" in str(finding.example)

    def test_a_fall_into_another_scope_is_the_categorys(self) -> None:
        own = {"bakery": {"rules": [rule("bakery", "0.1", {"max": 0})]}}
        finding = only(lint(rule("default", "0.2", {"max": 3}), categories=own))
        assert finding.rules == ("default", "bakery")
        assert "of 'bakery'" in str(finding.example)

    def test_a_fall_in_the_default_scope_is_told_once(self) -> None:
        own = {name: {"rules": [rule(name, "0.5", {"max": 0})]} for name in ("bakery", "dairy")}
        finding = only(
            lint(rule("late", "0.1", {"max": 1}), rule("early", "0.2", {"min": 2, "max": 3}), categories=own)
        )
        assert finding.rules == ("early", "late")

    def test_a_fall_that_the_cap_levels_is_none(self) -> None:
        findings = lint(
            rule("late", "0.8", {"max": 1}), rule("early", "0.9", {"min": 2, "max": 3}), max_discount="0.7"
        )
        assert {finding.code for finding in findings} == {"capped_rule"}


class TestRulesThatAnotherPartOfThePolicyOverrides:
    def test_a_discount_below_the_floor_is_a_warning(self) -> None:
        finding = only(lint(rule("deep", "0.6"), floor_fraction="0.5"))
        assert (finding.severity, finding.code, finding.rules) == (
            Severity.WARNING,
            "floor_overrides",
            ("deep",),
        )
        assert finding.example is not None
        assert finding.example.endswith("costs 5.00, not 4.00")

    def test_a_discount_down_to_the_floor_is_none(self) -> None:
        assert lint(rule("deep", "0.5"), floor_fraction="0.5") == []

    def test_a_categorys_floor_overrides_its_own_rules(self) -> None:
        own = {"bakery": {"floor_fraction": "0.9", "rules": [rule("bakery", "0.2")]}}
        assert only(lint(categories=own)).rules == ("bakery",)

    def test_a_default_rule_may_work_in_a_category_with_a_lower_floor(self) -> None:
        lower = {"bakery": {"floor_fraction": "0.3"}}
        assert lint(rule("deep", "0.6"), floor_fraction="0.5", categories=lower) == []

    def test_a_discount_beyond_the_cap_is_a_warning(self) -> None:
        finding = only(lint(rule("deep", "0.8"), max_discount="0.7"))
        assert (finding.severity, finding.code) == (Severity.WARNING, "capped_rule")

    def test_a_zero_discount_that_rounding_may_turn_into_one_is_a_warning(self) -> None:
        finding = only(lint(rule("none", "0"), rounding_step="0.10"))
        assert (finding.code, finding.severity) == ("rounding_discount", Severity.WARNING)
        assert lint(rule("none", "0")) == []


class TestUnits:
    def test_a_quantity_without_a_unit_beside_rules_with_one_is_a_warning(self) -> None:
        finding = only(
            lint(
                rule("weighed", "0.4", {"max": 2}, {"min": "5.5"}) | {"unit": "kg"},
                rule("much", "0.3", {"max": 2}, {"min": 50}),
            )
        )
        assert (finding.severity, finding.code, finding.rules) == (
            Severity.WARNING,
            "mixed_units",
            ("much",),
        )
        assert finding.message == (
            "counts 50 of any unit, but other rules of its scope name kg: name one here too"
        )
        assert finding.example == "50 pieces count as 50 kg do"

    def test_a_rule_without_a_quantity_may_serve_all_units(self) -> None:
        assert lint(rule("weighed", "0.3", None, {"min": 5}) | {"unit": "kg"}, rule("any", "0.2")) == []

    def test_scopes_do_not_mix_each_others_units(self) -> None:
        weighed = rule("weighed", "0.3", None, {"min": 5}) | {"unit": "kg"}
        pieces = rule("pieces", "0.3", None, {"min": 50})
        assert lint(pieces, categories={"cheese": {"rules": [weighed]}}) == []

    def test_rules_of_different_units_do_not_kill_each_other(self) -> None:
        assert lint(rule("weighed", "0.3") | {"unit": "kg"}, rule("pieces", "0.2") | {"unit": "each"}) == []

    def test_a_rule_inside_a_larger_discount_of_its_unit_is_dead(self) -> None:
        finding = only(lint(rule("all", "0.3"), rule("weighed", "0.2") | {"unit": "kg"}))
        assert (finding.code, finding.rules) == ("dead_rule", ("weighed", "all"))
        assert finding.example == "a batch with 0 days left and 0.001 kg in stock gets 'all'"

    def test_a_rule_that_decides_only_between_whole_numbers_is_a_warning(self) -> None:
        finding = only(
            lint(
                rule("few", "0.3", None, {"max": 10}),
                rule("many", "0.4", None, {"min": 11}),
                rule("any", "0.2"),
            )
        )
        assert (finding.severity, finding.code, finding.rules) == (
            Severity.WARNING,
            "dead_rule",
            ("any", "many", "few"),
        )
        assert finding.message == (
            "can never decide for whole numbers, where 'many', 'few' matches too: only for a batch with 0 "
            "days left and 10.001 kg in stock"
        )

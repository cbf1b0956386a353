"""The price of a batch, worked out by hand: one class for each step of `quote`."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.domain.quantity import Unit
from flexiprice.domain.quote import CurrentDiscount, Limit, PricedBatch, Quote, quote

D = Decimal
TODAY = date(2024, 2, 28)
LAST_DAY = {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.5"}
OVERSTOCK = {
    "name": "overstock",
    "days_to_expiry": {"min": 1, "max": 3},
    "quantity": {"min": 50},
    "discount": "0.4",
}
MUCH = {"name": "much", "quantity": {"min": "5.5"}, "discount": "0.3"}
BAKERY = {"name": "bakery last day", "days_to_expiry": {"max": 0}, "discount": "0.7"}


def policy(*rules: object, version: int = 1, **changes: object) -> PricingPolicy:
    return parse_policy({"rules": list(rules) or [LAST_DAY, OVERSTOCK], **changes}).with_version(version)


def batch(base_price: str = "10.00", *, days: int = 0, quantity: int = 10, **changes: object) -> PricedBatch:
    expiry_date = TODAY + timedelta(days=days)
    plain = PricedBatch("dairy", D(base_price), None, D(quantity), expiry_date)
    return replace(plain, **changes)  # type: ignore[arg-type]


def open_at(price: str, priced: PricedBatch, version: int = 1) -> CurrentDiscount:
    return CurrentDiscount(D(price), priced.base_price, priced.unit_cost, priced.expiry_date, version)


def price(priced: PricedBatch, rules: PricingPolicy, current: CurrentDiscount | None = None) -> str | None:
    quoted = quote(priced, rules, on=TODAY, current=current)
    return None if quoted is None else str(quoted.price)


def limits(priced: PricedBatch, rules: PricingPolicy, current: CurrentDiscount | None = None) -> list[str]:
    quoted = quote(priced, rules, on=TODAY, current=current)
    assert quoted is not None
    return [limit.value for limit in quoted.limits]


class TestWhatIsForSale:
    def test_the_expiry_date_itself_is_a_day_of_sale(self) -> None:
        assert quote(batch(days=0), policy(), on=TODAY) == Quote(D("5.00"), D("0.5000"), "last day", ())

    def test_an_expired_batch_has_no_price(self) -> None:
        anything = {"name": "always", "discount": "0.5"}
        assert price(batch(days=-1), policy(anything)) is None

    def test_goods_without_an_expiry_date_have_no_price(self) -> None:
        undated = batch(expiry_date=NO_EXPIRY)
        anything = {"name": "always", "discount": "0.5"}
        assert price(undated, policy(anything)) is None
        assert price(undated, policy(anything, price_only_down=True), open_at("5.00", undated)) is None

    def test_a_sold_out_batch_has_no_price(self) -> None:
        assert price(batch(quantity=0), policy()) is None

    @pytest.mark.parametrize("gone", [{"days": -1}, {"quantity": 0}])
    def test_expired_or_sold_out_batch_is_not_held(self, gone: dict[str, int]) -> None:
        priced = batch(**gone)  # type: ignore[arg-type]
        assert price(priced, policy(), open_at("5.00", priced)) is None

    def test_days_are_counted_over_the_leap_day(self) -> None:
        rules = policy({"name": "two days", "days_to_expiry": {"min": 2, "max": 2}, "discount": "0.2"})
        assert price(batch(expiry_date=date(2024, 3, 1)), rules) == "8.00"


class TestWhichRuleDecides:
    def test_without_a_rule_that_matches_there_is_no_discount(self) -> None:
        assert price(batch(days=4), policy()) is None
        assert price(batch(days=3, quantity=49), policy()) is None

    def test_both_ends_of_a_range_are_in_it(self) -> None:
        assert price(batch(days=1, quantity=50), policy()) == "6.00"
        assert price(batch(days=3, quantity=50), policy()) == "6.00"

    def test_the_largest_discount_wins_wherever_it_stands(self) -> None:
        small = {"name": "small", "discount": "0.1"}
        large = {"name": "large", "discount": "0.3"}
        assert price(batch(), policy(small, large)) == price(batch(), policy(large, small)) == "7.00"

    def test_first_of_equal_discounts_wins(self) -> None:
        one, other = ({"name": name, "discount": "0.1"} for name in ("one", "other"))
        quoted = quote(batch(), policy(one, other), on=TODAY)
        assert quoted is not None
        assert quoted.rule == "one"

    def test_a_category_decides_for_itself_even_with_a_smaller_discount(self) -> None:
        mild = {"name": "bakery", "discount": "0.1"}
        rules = policy(LAST_DAY, categories={"bakery": {"rules": [mild]}})
        assert price(batch(category_key="bakery"), rules) == "9.00"
        assert price(batch(category_key="dairy"), rules) == "5.00"

    def test_default_rules_apply_where_no_rule_of_the_category_matches(self) -> None:
        rules = policy(OVERSTOCK, categories={"bakery": {"rules": [BAKERY]}})
        assert price(batch(category_key="bakery", days=1, quantity=60), rules) == "6.00"

    def test_the_rate_may_be_zero_to_say_no_discount_on_purpose(self) -> None:
        none = {"name": "none", "discount": "0"}
        rules = policy(LAST_DAY, categories={"bakery": {"rules": [none]}})
        assert price(batch(category_key="bakery"), rules) is None


class TestUnits:
    def test_a_rules_quantity_counts_in_the_products_unit(self) -> None:
        for unit in Unit:
            assert price(batch(quantity=6, unit=unit), policy(MUCH)) == "7.00"
        assert price(batch(unit=Unit.KG, quantity=D("5.499")), policy(MUCH)) is None
        assert price(batch(unit=Unit.KG, quantity=D("5.5")), policy(MUCH)) == "7.00"

    def test_a_rule_with_a_unit_matches_products_in_it_alone(self) -> None:
        rules = policy(MUCH | {"unit": "kg"})
        assert price(batch(quantity=6, unit=Unit.KG), rules) == "7.00"
        assert price(batch(quantity=6), rules) is None

    def test_a_rule_of_another_unit_leaves_the_decision_to_the_default_scope(self) -> None:
        rules = policy(LAST_DAY, categories={"dairy": {"rules": [MUCH | {"unit": "kg"}]}})
        assert price(batch(quantity=6, unit=Unit.KG), rules) == "7.00"
        assert price(batch(quantity=6), rules) == "5.00"


class TestHowThePriceComesAbout:
    def test_max_discount_caps_the_rate(self) -> None:
        rules = policy({"name": "all", "discount": "0.9"}, max_discount="0.7")
        assert quote(batch(), rules, on=TODAY) == Quote(D("3.00"), D("0.7000"), "all", (Limit.MAX_DISCOUNT,))

    def test_no_price_is_below_the_fraction_of_the_base_price(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.6")
        assert quote(batch(), rules, on=TODAY) == Quote(D("6.00"), D("0.4000"), "last day", (Limit.FLOOR,))

    def test_the_floor_is_the_categorys_own_whichever_scopes_rule_decides(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.6", categories={"bakery": {"floor_fraction": "0.2"}})
        assert price(batch(category_key="bakery"), rules) == "5.00"

    def test_no_price_is_below_cost_and_margin(self) -> None:
        rules = policy(LAST_DAY, min_margin_over_cost="0.05")
        priced = batch(unit_cost=D("7.00"))
        assert quote(priced, rules, on=TODAY) == Quote(D("7.35"), D("0.2650"), "last day", (Limit.MARGIN,))

    def test_a_product_without_a_cost_has_no_cost_floor(self) -> None:
        assert price(batch(unit_cost=None), policy(LAST_DAY, min_margin_over_cost="0.05")) == "5.00"

    def test_a_policy_without_a_margin_sells_below_cost(self) -> None:
        assert price(batch(unit_cost=D("7.00")), policy(LAST_DAY)) == "5.00"

    def test_both_floors_are_named_where_they_meet(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.6", min_margin_over_cost="0.5")
        assert limits(batch(unit_cost=D("4.00")), rules) == ["floor", "margin"]

    def test_the_price_is_rounded_half_up_to_the_step(self) -> None:
        assert price(batch("0.05"), policy()) == "0.03"
        assert price(batch("9.30"), policy(LAST_DAY, rounding_step="0.10")) == "4.70"
        assert price(batch("9.20"), policy(LAST_DAY, rounding_step="5")) == "5.00"

    def test_a_floor_is_rounded_up(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.51", rounding_step="0.10")
        assert quote(batch("9.90"), rules, on=TODAY) == Quote(
            D("5.10"), D("0.4848"), "last day", (Limit.FLOOR, Limit.ROUNDING)
        )

    def test_rounding_is_named_only_where_it_changed_the_price(self) -> None:
        assert limits(batch("10.00"), policy()) == []
        assert limits(batch("10.01"), policy()) == ["rounding"]

    def test_a_cap_that_the_floor_would_have_set_anyway_is_not_named(self) -> None:
        rules = policy({"name": "all", "discount": "0.9"}, max_discount="0.8", floor_fraction="0.25")
        assert limits(batch(), rules) == ["floor"]

    def test_a_price_that_is_not_below_the_base_price_is_no_discount(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="1")
        priced = batch()
        assert price(priced, rules) is None
        assert price(priced, rules, open_at("5.00", priced)) is None

    def test_a_floor_that_rounds_beyond_the_base_price_leaves_no_discount(self) -> None:
        assert price(batch("0.99"), policy(LAST_DAY, rounding_step="1")) is None

    def test_price_is_never_zero(self) -> None:
        rules = policy({"name": "all", "discount": "0.9"}, max_discount="0.9", floor_fraction="0")
        assert quote(batch("0.04"), rules, on=TODAY) == Quote(
            D("0.01"), D("0.7500"), "all", (Limit.FLOOR, Limit.ROUNDING)
        )
        assert price(batch("0.01"), rules) is None

    def test_the_largest_price_is_exact(self) -> None:
        rules = policy({"name": "all", "discount": "0.0001"})
        assert quote(batch("9999999999.99"), rules, on=TODAY) == Quote(
            D("9998999999.99"), D("0.0001"), "all", (Limit.ROUNDING,)
        )


class TestOpening:
    def test_a_discount_opens_only_for_min_change_below_the_base_price(self) -> None:
        rules = policy(LAST_DAY, min_change="0.50")
        assert price(batch("0.99"), rules) is None
        assert price(batch("1.00"), rules) == "0.50"

    def test_a_discount_that_may_not_be_held_moves_by_less_than_min_change(self) -> None:
        rules = policy(LAST_DAY, min_change="0.50")
        priced = batch("0.98")
        assert price(priced, rules, replace(open_at("0.60", priced), base_price=D("0.97"))) == "0.49"


class TestHolding:
    def test_a_difference_smaller_than_min_change_keeps_the_open_price(self) -> None:
        rules = policy(LAST_DAY, min_change="0.10", price_only_down=False)
        for open_price in ("4.91", "5.09"):
            kept = quote(batch(), rules, on=TODAY, current=open_at(open_price, batch()))
            assert kept is not None
            assert (kept.price, kept.rule, kept.limits) == (D(open_price), "last day", (Limit.MIN_CHANGE,))
        for open_price in ("4.90", "5.10"):
            assert price(batch(), rules, open_at(open_price, batch())) == "5.00"

    def test_a_price_that_only_goes_down_is_kept_below_a_higher_one(self) -> None:
        kept = quote(batch(), policy(), on=TODAY, current=open_at("4.00", batch()))
        assert kept == Quote(D("4.00"), D("0.6000"), "last day", (Limit.HELD,))
        assert price(batch(), policy(price_only_down=False), open_at("4.00", batch())) == "5.00"

    def test_both_reasons_are_named_where_both_keep_the_price(self) -> None:
        assert limits(batch(), policy(min_change="2"), open_at("4.00", batch())) == ["min_change", "held"]

    def test_an_overstock_batch_that_sells_below_its_threshold_does_not_jump_back_up(self) -> None:
        sold_down = batch(days=2, quantity=49)
        kept = quote(sold_down, policy(), on=TODAY, current=open_at("6.00", sold_down))
        assert kept == Quote(D("6.00"), D("0.4000"), None, (Limit.HELD,))
        assert price(sold_down, policy(price_only_down=False), open_at("6.00", sold_down)) is None

    def test_a_lower_price_is_taken(self) -> None:
        assert price(batch(), policy(), open_at("6.00", batch())) == "5.00"

    def test_an_open_price_that_is_the_new_one_keeps_the_new_ones_limits(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.6")
        assert limits(batch(), rules, open_at("6.00", batch())) == ["floor"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"base_price": D("9.99")},
            {"unit_cost": D("1.00")},
            {"expiry_date": TODAY + timedelta(days=1)},
            {"policy_version": 2},
        ],
    )
    def test_a_price_that_was_decided_on_something_else_is_not_held(self, changed: dict[str, object]) -> None:
        current = replace(open_at("4.00", batch()), **changed)  # type: ignore[arg-type]
        assert price(batch(), policy(), current) == "5.00"

    def test_a_policy_that_is_not_stored_holds_nothing(self) -> None:
        unstored = parse_policy(policy().document())
        assert price(batch(), unstored, open_at("4.00", batch())) == "5.00"

    def test_only_a_price_from_the_floor_up_to_below_the_base_price_is_held(self) -> None:
        rules = policy(LAST_DAY, floor_fraction="0.3")
        for open_price, kept in (("2.99", "5.00"), ("3.00", "3.00")):
            assert price(batch(), rules, open_at(open_price, batch())) == kept
        beyond = batch(days=2)
        for open_price, kept_price in (("9.99", "9.99"), ("10.00", None)):
            assert price(beyond, rules, open_at(open_price, beyond)) == kept_price

"""Properties of every quote, for any policy and batch."""

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, Inexact, localcontext
from random import Random, SystemRandom

import pytest

from flexiprice.domain.money import CENT
from flexiprice.domain.policy import PricingPolicy, PricingRule, parse_policy
from flexiprice.domain.quote import CurrentDiscount, Limit, PricedBatch, Quote, deciding_rule, quote
from tests.support.random_pricing import DAY, random_batch, random_current, random_policy

# Another run, another sample. To see a failure again: QUOTE_SEED=… pytest …
SEED = int(os.environ.get("QUOTE_SEED", SystemRandom().randrange(2**32)))
POLICIES = 250
BATCHES_PER_POLICY = 20

KEPT = {Limit.MIN_CHANGE, Limit.HELD}


@dataclass(frozen=True)
class Case:
    """A batch, the policy it is quoted by, and the discount that may be open for it."""

    policy: PricingPolicy
    batch: PricedBatch
    current: CurrentDiscount | None

    def quote(self) -> Quote | None:
        return quote(self.batch, self.policy, on=DAY, current=self.current)

    def rule(self) -> PricingRule | None:
        days = (self.batch.expiry_date - DAY).days
        return deciding_rule(self.policy, self.batch.category_key, days, self.batch.quantity, self.batch.unit)

    def exact_floors(self) -> list[Decimal]:
        own = self.policy.categories.get(self.batch.category_key)
        has_own = own is not None and own.floor_fraction is not None
        fraction = own.floor_fraction if has_own else self.policy.floor_fraction
        floors = [self.batch.base_price * fraction]
        if self.policy.min_margin_over_cost is not None and self.batch.unit_cost is not None:
            floors.append(self.batch.unit_cost * (1 + self.policy.min_margin_over_cost))
        return floors

    def with_in_force(self, quoted: Quote) -> "Case":
        """The same batch with this quote in force under the policy's version."""
        batch, version = self.batch, self.policy.version
        assert version is not None
        in_force = CurrentDiscount(
            quoted.price, batch.base_price, batch.unit_cost, batch.expiry_date, version
        )
        return replace(self, current=in_force)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    random = Random(SEED)
    found: list[Case] = []
    for _ in range(POLICIES):
        policy = random_policy(random)
        batches = [random_batch(random, policy) for _ in range(BATCHES_PER_POLICY)]
        found += [Case(policy, batch, random_current(random, batch, policy)) for batch in batches]
    return found


@pytest.fixture(scope="module")
def priced(cases: list[Case]) -> list[tuple[Case, Quote]]:
    """The cases that have a discount, with it."""
    found = [(case, quoted) for case in cases if (quoted := case.quote()) is not None]
    assert len(found) > 500, f"QUOTE_SEED={SEED}"
    return found


@pytest.fixture(scope="module")
def stored(priced: list[tuple[Case, Quote]]) -> list[tuple[Case, Quote]]:
    """Those of them whose policy is stored, so that it may hold a price."""
    return [(case, quoted) for case, quoted in priced if case.policy.version is not None]


def told(case: Case) -> str:
    return f"QUOTE_SEED={SEED} {case.batch} {case.current} {case.policy.document()}"


Priced = list[tuple[Case, Quote]]


def test_a_price_lies_above_nothing_and_below_the_base_price(priced: Priced) -> None:
    for case, quoted in priced:
        assert CENT <= quoted.price < case.batch.base_price, told(case)
        assert quoted.price == quoted.price.quantize(CENT), told(case)


def test_a_price_keeps_its_floors(priced: Priced) -> None:
    for case, quoted in priced:
        assert quoted.price >= max(case.exact_floors()), told(case)


def test_a_price_that_is_not_kept_is_whole_steps(priced: Priced) -> None:
    for case, quoted in priced:
        if KEPT.isdisjoint(quoted.limits):
            assert quoted.price % case.policy.rounding_step == 0, told(case)


def test_limits_are_in_order_and_keeping_a_price_stands_alone(priced: Priced) -> None:
    for case, quoted in priced:
        assert list(quoted.limits) == [limit for limit in Limit if limit in quoted.limits], told(case)
        assert KEPT.isdisjoint(quoted.limits) or KEPT.issuperset(quoted.limits), told(case)


def test_a_quote_names_the_rule_that_decides(priced: Priced) -> None:
    for case, quoted in priced:
        rule = case.rule()
        assert quoted.rule == (rule.name if rule else None), told(case)


def test_max_discount_is_named_exactly_if_lifting_it_changes_the_price(cases: list[Case]) -> None:
    for case in cases:
        fresh = replace(case, current=None)
        quoted = fresh.quote()
        if quoted is not None:
            lifted = case.policy.model_copy(update={"max_discount": Decimal("0.9999")})
            without = replace(fresh, policy=lifted).quote()
            assert without is not None, told(case)
            assert (Limit.MAX_DISCOUNT in quoted.limits) == (without.price != quoted.price), told(case)


def test_rounding_is_named_exactly_where_rates_and_floors_give_another_price(
    cases: list[Case],
) -> None:
    for case in cases:
        quoted, rule = replace(case, current=None).quote(), case.rule()
        if quoted is not None and rule is not None:
            rate = min(rule.discount, case.policy.max_discount)
            exact = max(case.batch.base_price * (1 - rate), *case.exact_floors())
            assert (Limit.ROUNDING in quoted.limits) == (quoted.price != exact), told(case)


def test_a_price_in_force_stays_in_force_while_nothing_changes(stored: Priced) -> None:
    for case, quoted in stored:
        assert case.with_in_force(quoted).quote() == quoted, told(case)


def test_days_and_stock_change_nothing_while_the_same_rule_decides(stored: Priced) -> None:
    # The recompute builds on this when it passes over a batch without quoting it.
    compared = 0
    for case, quoted in stored:
        in_force = case.with_in_force(quoted)
        for days, quantity in ((1, 1), (-1, 7), (0, 60), (2, 1000)):
            later = replace(in_force.batch, quantity=Decimal(quantity))
            day = DAY + timedelta(days=days)
            again = quote(later, case.policy, on=day, current=in_force.current)
            if again is not None and again.rule == quoted.rule:
                assert again == quoted, told(case)
                compared += 1
    assert compared > 500


def test_a_price_that_only_goes_down_never_rises_while_the_batch_has_a_discount(stored: Priced) -> None:
    for case, quoted in stored:
        if case.policy.price_only_down:
            in_force = case.with_in_force(quoted)
            for days, quantity in ((1, 1), (1, 60), (3, 10)):
                later = replace(in_force.batch, quantity=Decimal(quantity))
                day = DAY + timedelta(days=days)
                again = quote(later, case.policy, on=day, current=in_force.current)
                assert again is None or again.price <= quoted.price, told(case)


def test_the_order_of_rules_matters_only_between_equal_discounts(cases: list[Case]) -> None:
    for case in cases:
        rules = case.policy.rules
        if len({rule.discount for rule in rules}) == len(rules):
            turned = case.policy.model_copy(update={"rules": rules[::-1]})
            assert replace(case, policy=turned).quote() == case.quote(), told(case)


def test_the_callers_decimal_context_does_not_matter(cases: list[Case]) -> None:
    for case in cases:
        expected = case.quote()
        with localcontext(prec=4, traps=[Inexact]):
            assert case.quote() == expected, told(case)


def test_a_policy_means_the_same_after_a_trip_through_its_document(cases: list[Case]) -> None:
    for case in cases[::BATCHES_PER_POLICY]:
        again = parse_policy(case.policy.document())
        if case.policy.version is not None:
            again = again.with_version(case.policy.version)
        assert again == case.policy
        assert replace(case, policy=again).quote() == case.quote(), told(case)


def test_a_price_decided_on_another_base_price_is_not_held(priced: Priced) -> None:
    for case, _ in priced:
        if case.current is not None and (expected := replace(case, current=None).quote()) is not None:
            other = replace(case.current, base_price=case.batch.base_price + CENT)
            assert replace(case, current=other).quote() == expected, told(case)

"""The search for a rule that is compiled to SQL and the pure `deciding_rule` find the same rule."""

import os
from random import Random, SystemRandom

from flexiprice.domain.policy import PricingPolicy, parse_policy
from flexiprice.domain.quantity import to_thousandths
from flexiprice.domain.quote import PricedBatch, deciding_rule
from flexiprice.pricing.sql.compiled_policy import NO_SCOPE, CompiledPolicy
from flexiprice.pricing.sql.rule_search import RuleSearch, RuleTest, Search, Split
from tests.support.random_pricing import DAY, random_batch, random_policy

# Another run, another sample. To see a failure again: RULE_SEARCH_SEED=… pytest …
SEED = int(os.environ.get("RULE_SEARCH_SEED", SystemRandom().randrange(2**32)))
POLICIES = 150
BATCHES_PER_POLICY = 100


def test_rule_search_finds_the_deciding_rule_and_capped_rate_of_every_random_batch() -> None:
    found = 0
    for round_ in range(POLICIES):
        random = Random(f"{SEED}/{round_}")
        policy = random_policy(random)
        compiled = CompiledPolicy.of(policy)
        codes = {rule.code: rule for rule in compiled.rules}
        for _ in range(BATCHES_PER_POLICY):
            batch = random_batch(random, policy)
            days = (batch.expiry_date - DAY).days
            if days < 0 or batch.quantity == 0:
                continue
            expected = deciding_rule(policy, batch.category_key, days, batch.quantity, batch.unit)
            code = _search(compiled, batch, days)
            seen = f"RULE_SEARCH_SEED={SEED} round {round_}: {batch}\n{policy.document()}"
            assert (None if code is None else codes[code].name) == (expected and expected.name), seen
            if code is not None and expected is not None:
                assert code % 10_000 == min(expected.discount, policy.max_discount) * 10_000, seen
                assert codes[code].is_capped == (expected.discount > policy.max_discount), seen
                found += 1
    # A sample in which hardly a rule matches would prove nothing.
    assert found >= POLICIES


def test_no_batch_is_compared_with_more_than_a_few_of_a_hundred_rules() -> None:
    (search,) = CompiledPolicy.of(_one_rule_a_day(100)).searches
    assert _longest(search.search) <= 10


def test_policies_with_the_same_document_and_version_share_their_statements() -> None:
    policy = _one_rule_a_day(3)
    compiled = CompiledPolicy.of(policy.with_version(1))
    assert CompiledPolicy.of(_one_rule_a_day(3).with_version(1)) == compiled
    assert hash(CompiledPolicy.of(_one_rule_a_day(3).with_version(1))) == hash(compiled)
    others = (policy, policy.with_version(2), _one_rule_a_day(4).with_version(1))
    assert compiled not in map(CompiledPolicy.of, others)


def _one_rule_a_day(days: int) -> PricingPolicy:
    return parse_policy(
        {
            "rules": [
                {"name": f"{day} left", "days_to_expiry": {"min": day, "max": day}, "discount": "0.3"}
                for day in range(days)
            ]
        }
    )


def _search(policy: CompiledPolicy, batch: PricedBatch, days: int) -> int | None:
    scope = dict(policy.scopes).get(batch.category_key, NO_SCOPE)
    own = _first(policy.searches[scope], days, batch)
    return _first(policy.searches[NO_SCOPE], days, batch) if own is None else own


def _first(found: RuleSearch, days: int, batch: PricedBatch) -> int | None:
    if found.last_day is not None and days > found.last_day:
        return None
    search = found.search
    while isinstance(search, Split):
        search = search.before if days < search.day else search.after
    return next((test.code for test in search if _matches(test, days, batch)), None)


def _matches(test: RuleTest, days: int, batch: PricedBatch) -> bool:
    stock_matches = to_thousandths(batch.quantity) in test.quantity
    return test.unit in (None, batch.unit) and days in test.days_to_expiry and stock_matches


def _longest(search: Search) -> int:
    """The number of comparisons of days and tests of rules on the longest way through a search."""
    if isinstance(search, Split):
        return 1 + max(_longest(search.before), _longest(search.after))
    return len(search)

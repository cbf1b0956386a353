"""A policy in the whole numbers of its SQL, computed once for all modules that render a part of it."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, count

from flexiprice.domain.policy import PricingPolicy, PricingRule
from flexiprice.pricing.sql.rule_search import CodedRule, RuleSearch
from flexiprice.pricing.sql.values import RATE_PARTS

NO_SCOPE = 0
"""The scope of categories without rules of their own: the default one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """A policy with numbered scopes, coded rules, rates in ten-thousandths and amounts in cents.

    Policies are equal if version and document are equal; everything else follows from these. So a policy is a
    key of the caches of its statements.

    Attributes:
        version: the stored version; a policy without one holds no open price.
        document: the policy as JSON.
        scopes: the numbers of the categories with rules, from 1, by category key in ascending order.
        floor_fractions: the floors of the categories with their own, by category key in ascending order.
        floor_fraction: the floor of all other categories.
        cost_factor: the cost floor in ten-thousandths of the unit cost; None without a margin over cost.
        step: the rounding step in cents.
        step_parts: the rounding step in ten-thousandths of a cent.
        min_change: a smaller difference neither changes nor opens a price, in cents.
        max_rate: the largest rate that any rule can give.
        price_only_down: whether an open price is not raised while only days and stock change.
        rules: all rules, by code.
        searches: the search for the deciding rule of each scope, by the scope's number.
    """

    version: int | None
    document: str = field(repr=False)
    scopes: tuple[tuple[str, int], ...] = field(compare=False)
    floor_fractions: tuple[tuple[str, int], ...] = field(compare=False)
    floor_fraction: int = field(compare=False)
    cost_factor: int | None = field(compare=False)
    step: int = field(compare=False)
    step_parts: int = field(compare=False)
    min_change: int = field(compare=False)
    max_rate: int = field(compare=False)
    price_only_down: bool = field(compare=False)
    rules: tuple[CodedRule, ...] = field(compare=False)
    searches: tuple[RuleSearch, ...] = field(compare=False)

    @classmethod
    def of(cls, policy: PricingPolicy) -> "CompiledPolicy":
        """Compiles a policy."""
        categories, margin = policy.categories, policy.min_margin_over_cost
        own_rules = {key: scope.rules for key, scope in categories.items() if scope.rules}
        own_floors = {key: scope.floor_fraction for key, scope in categories.items()}
        numbers = count(1)
        coded = [
            [_coded(next(numbers), rule, policy) for rule in rules]
            for rules in (policy.rules, *own_rules.values())
        ]
        step = _cents(policy.rounding_step)
        return cls(
            version=policy.version,
            document=policy.model_dump_json(),
            scopes=tuple(sorted((key, scope) for scope, key in enumerate(own_rules, start=NO_SCOPE + 1))),
            floor_fractions=tuple(
                sorted((key, _parts(floor)) for key, floor in own_floors.items() if floor is not None)
            ),
            floor_fraction=_parts(policy.floor_fraction),
            cost_factor=None if margin is None else RATE_PARTS + _parts(margin),
            step=step,
            step_parts=step * RATE_PARTS,
            min_change=_cents(policy.min_change),
            max_rate=_parts(policy.max_discount),
            price_only_down=policy.price_only_down,
            rules=tuple(chain.from_iterable(coded)),
            searches=tuple(RuleSearch.among(_by_precedence(rules)) for rules in coded),
        )


def _coded(number: int, rule: PricingRule, policy: PricingPolicy) -> CodedRule:
    return CodedRule(
        code=number * RATE_PARTS + _parts(min(rule.discount, policy.max_discount)),
        name=rule.name,
        own_rate=_parts(rule.discount),
        days_to_expiry=rule.days_to_expiry,
        quantity=rule.quantity.thousandths,
        unit=rule.unit,
    )


def _by_precedence(rules: list[CodedRule]) -> list[CodedRule]:
    return sorted(rules, key=lambda rule: -rule.own_rate)


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


def _parts(rate: Decimal) -> int:
    return int(rate * RATE_PARTS)

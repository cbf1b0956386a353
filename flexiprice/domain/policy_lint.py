"""The policy linter: finds probable mistakes in a valid policy, such as rules without effect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from flexiprice.domain.money import CENT
from flexiprice.domain.policy import PricingPolicy, PricingRule, by_discount
from flexiprice.domain.quantity import Unit
from flexiprice.domain.rule_coverage import Point, RuleMatcher, covers, find_point, overlap


class Severity(StrEnum):
    """The severity of a finding: an error is always a mistake, a warning may be intended."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """A finding of the linter.

    Attributes:
        severity: `error` for a certain mistake.
        code: the kind of finding: `dead_rule`, `falling_discount`, `floor_overrides`, `capped_rule`,
            `rounding_discount` or `mixed_units`; for an invalid policy `unknown_key`, `duplicate_name` or
            `invalid`.
        message: one sentence for a person.
        rules: the names of the rules concerned.
        example: a batch that shows the finding.
    """

    severity: Severity
    code: str
    message: str
    rules: tuple[str, ...] = ()
    example: str | None = None


def lint_policy(policy: PricingPolicy) -> list[PolicyFinding]:
    """Returns all findings about a policy, errors first."""
    return [
        *_dead_rules(policy),
        *_falling_discounts(policy),
        *_floor_overrides(policy),
        *_capped_rules(policy),
        *_rounding_discounts(policy),
        *_mixed_units(policy),
    ]


def _scopes(policy: PricingPolicy) -> Iterator[tuple[str | None, Sequence[PricingRule]]]:
    yield None, policy.rules
    for key, scope in policy.categories.items():
        yield key, scope.rules


def _dead_rules(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    for _, rules in _scopes(policy):
        ordered = by_discount(rules)
        for index, rule in enumerate(ordered):
            stronger = ordered[:index]
            alive = find_point(rule, outside=stronger)
            # Between whole numbers, rules written for pieces leave gaps that weighed stock falls into.
            is_gap = alive is not None and alive.unit is not Unit.EACH
            if alive is not None and not (is_gap and all(each.unit is None for each in (rule, *stronger))):
                continue
            matching = find_point(rule, outside=())
            if matching is None:
                message = "can never decide: nothing is for sale where the stock is 0"
                example = "a batch with 0 in stock is sold out"
                yield PolicyFinding(Severity.ERROR, "dead_rule", message, (rule.name,), example)
                continue
            alone = [other for other in stronger if covers(other, rule)]
            winners = alone[:1] or [other for other in stronger if overlap(other, rule)]
            names = ", ".join(repr(other.name) for other in winners)
            message = f"can never decide: wherever it matches, so does {names}, with no smaller discount"
            if alive is not None:
                message = f"can never decide for whole numbers, where {names} matches too: only for {alive}"
            yield PolicyFinding(
                Severity.WARNING if alive is not None else Severity.ERROR,
                "dead_rule",
                message,
                (rule.name, *(other.name for other in winners)),
                f"{matching} gets {next(other for other in winners if matching.meets(other)).name!r}",
            )


def _falling_discounts(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    seen: set[tuple[str | None, str, str | None]] = set()
    for unit in _units(policy):
        default = RuleMatcher(policy.rules, unit)
        for key, rules in _scopes(policy):
            decider = default if key is None else RuleMatcher(rules, unit, fallback=default)
            for point in decider.boundaries():
                before, after = decider.decide(point), decider.decide(point.a_day_later)
                if before is None or _rate(before, policy) <= _rate(after, policy):
                    continue
                pair = (before.name, after.name if after else None)
                # A fall between two default rules is reported in the default scope only.
                if (key, *pair) not in seen and not decider.own.isdisjoint(pair):
                    seen.add((key, *pair))
                    yield _fall(policy, key, point, before, after)


def _fall(
    policy: PricingPolicy, key: str | None, point: Point, before: PricingRule, after: PricingRule | None
) -> PolicyFinding:
    follows = (
        f"{after.name!r} takes over with {_rate(after, policy)}" if after else "no rule matches any more"
    )
    of_category = f" of {key!r}" if key is not None else ""
    return PolicyFinding(
        Severity.WARNING,
        "falling_discount",
        f"the discount falls as expiry nears: after {_rate(before, policy)} {follows}",
        (before.name, after.name) if after else (before.name,),
        f"{point}{of_category} has {_rate(before, policy)} off, "
        f"with {point.a_day_later.days} {_rate(after, policy)}",
    )


def _floor_overrides(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    own_floors = {key: scope.floor_fraction for key, scope in policy.categories.items()}
    for key, rules in _scopes(policy):
        if key is None:
            # A default rule also serves the categories, whose own floors may be lower.
            floor = min([policy.floor_fraction, *(own for own in own_floors.values() if own is not None)])
        else:
            own = own_floors[key]
            floor = policy.floor_fraction if own is None else own
        for rule in rules:
            if 1 - _rate(rule, policy) < floor:
                yield PolicyFinding(
                    Severity.WARNING,
                    "floor_overrides",
                    f"{_rate(rule, policy)} off is never given: prices stop at {floor} of the base price",
                    (rule.name,),
                    f"{_first(rule)} with a base price of 10.00 costs {10 * floor:.2f}, not "
                    f"{10 * (1 - _rate(rule, policy)):.2f}",
                )


def _capped_rules(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    for _, rule in policy.rules_with_paths():
        if rule.discount > policy.max_discount:
            yield PolicyFinding(
                Severity.WARNING,
                "capped_rule",
                f"asks for {rule.discount} off, but max_discount gives {policy.max_discount} at most",
                (rule.name,),
                f"{_first(rule)} has {policy.max_discount} off",
            )


def _rounding_discounts(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    step = policy.rounding_step
    for _, rule in policy.rules_with_paths():
        if rule.discount == 0 and step > CENT:
            yield PolicyFinding(
                Severity.WARNING,
                "rounding_discount",
                f"means no discount, but rounding to {step} can still lower a price",
                (rule.name,),
                f"{_first(rule)} with a base price of {10 * step + CENT} costs {10 * step}",
            )


def _mixed_units(policy: PricingPolicy) -> Iterator[PolicyFinding]:
    for _, rules in _scopes(policy):
        named = [unit for unit in Unit if any(rule.unit is unit for rule in rules)]
        if not named:
            continue
        weighed = next((unit for unit in named if unit is not Unit.EACH), Unit.KG)
        for rule in rules:
            end = rule.quantity.min or rule.quantity.max
            if rule.unit is None and end is not None:
                yield PolicyFinding(
                    Severity.WARNING,
                    "mixed_units",
                    f"counts {end} of any unit, but other rules of its scope name {', '.join(named)}: "
                    "name one here too",
                    (rule.name,),
                    f"{end} pieces count as {end} {weighed} do",
                )


def _units(policy: PricingPolicy) -> list[Unit]:
    """The units in which the rules may differ: pieces, and those that a rule names."""
    named = {rule.unit for _, rule in policy.rules_with_paths()}
    return [unit for unit in Unit if unit is Unit.EACH or unit in named]


def _rate(rule: PricingRule | None, policy: PricingPolicy) -> Decimal:
    return min(rule.discount, policy.max_discount) if rule else Decimal(0)


def _first(rule: PricingRule) -> str:
    return str(find_point(rule, outside=()) or "a batch")

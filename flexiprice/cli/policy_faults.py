"""Formats the faults of a policy, one a line: the place, the reason and the remedy."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from flexiprice.domain.policy import CategoryScope, PolicyProblem, PricingPolicy, PricingRule
from flexiprice.domain.quantity import Unit
from flexiprice.domain.ranges import Range
from flexiprice.errors import InvalidPolicy
from flexiprice.plurals import counted

_A_RANGE: Final = "write a range, such as {min: 0, max: 3}"
_WHOLE: Final = "write a whole number, such as 3"
_BY_KEY: Final[Mapping[str, str]] = {
    "max_discount": "write a fraction below 1, such as 0.70 for 70%",
    "floor_fraction": "write a fraction from 0 to 1, such as 0.25",
    "min_margin_over_cost": "write a fraction of the cost, such as 0.05 for 5%",
    "min_change": "write an amount of money, such as 0.05",
    "price_only_down": "write true or false",
    "rules": "write a list of rules, each with a name and a discount",
    "categories": "write a mapping from each category to its rules",
    "name": "write a text of 1 to 100 characters",
    "discount": "write a fraction below 1, such as 0.25 for 25%",
    "days_to_expiry": _A_RANGE,
    "quantity": _A_RANGE,
    "unit": f"write one of {', '.join(Unit)}",
    "min": _WHOLE,
    "max": _WHOLE,
}
_BY_CODE: Final[Mapping[str, str]] = {
    "duplicate_name": "rename or remove all but one of them",
    "dead_rule": "remove it, or give it a larger discount or wider conditions",
}
_OF_A_RANGE: Final = re.compile(r"rules\[[0-9]+\]\.(?:days_to_expiry|quantity)\.[^.]*$")
_OF_A_QUANTITY: Final = re.compile(r"\.quantity\.(?:min|max)$")
_OF_A_RULE: Final = re.compile(r"rules\[[0-9]+\]\.[^.]*$")


def fault_lines(error: InvalidPolicy) -> Iterator[str]:
    """Yields a line with the number of faults, and a line for each."""
    yield f"The policy cannot be used: {counted(len(error.problems), 'fault')}."
    for problem in error.problems:
        code = problem.code if isinstance(problem, PolicyProblem) else ""
        advice = advice_on(code, problem.path)
        yield f"  {problem}{f'; {advice}' if advice else ''}"


def advice_on(code: str, path: str) -> str:
    """Returns the remedy for a kind of fault at a place; empty where the reason contains it."""
    if code == "unknown_key":
        return _other_key(path)
    if code in _BY_CODE:
        return _BY_CODE[code]
    if _OF_A_QUANTITY.search(path):
        return "write a number with at most three decimals, such as 3 or 12.5"
    return _BY_KEY.get(path.rpartition(".")[2].partition("[")[0], "")


def _other_key(path: str) -> str:
    key = path.rpartition(".")[2]
    known = list(_document_at(path).model_fields)
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"remove it; known here are {', '.join(known)}"


def _document_at(path: str) -> type[PricingPolicy | PricingRule | CategoryScope | Range]:
    if _OF_A_RANGE.search(path):
        return Range
    if _OF_A_RULE.search(path):
        return PricingRule
    return CategoryScope if path.startswith("categories.") else PricingPolicy

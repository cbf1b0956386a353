"""Plural forms of nouns and verbs."""

import ast
import re
from pathlib import Path

import pytest

from flexiprice.plurals import counted, noun_for

# A number right before a plural, as in f"{count} batches": 1 of them would read "1 batches".
_NOUNS = (
    "batches|jobs|tasks|products|rows|runs|workers|discounts|queues|keys|sessions|lines|warnings|letters|"
    "categories|cells|columns|partitions|stores|schedules|versions|prices|changes|findings|characters|days"
)
_COUNTED_BY_HAND = re.compile(rf"\}} (?:[a-z]+ )?(?:{_NOUNS})\b")
_CONSTANT = re.compile(r"\{_?[A-Z][A-Z_]+(?:\.[a-z]+)?\} ")
# Values that are never 1: above a bound, a limit, or checked beforehand.
_NEVER_ONE = {
    "{len(row.cells)} columns",
    "{stale.may_change} batches",
    "{longest} characters",
    "{self._limit} jobs",
    "{self.runs} runs",
    "{self.days_to_expiry} days",
}


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [(1, "job", "1 job"), (0, "job", "0 jobs"), (2000, "job", "2,000 jobs"), (1, "batch", "1 batch")],
)
def test_a_number_has_its_noun_in_the_right_form(number: int, noun: str, told: str) -> None:
    assert counted(number, noun) == told


def test_nouns_and_verbs_agree() -> None:
    assert counted(2, "batch") == "2 batches"
    assert counted(1, "category", plural="categories") == "1 category"
    assert counted(3, "category", plural="categories") == "3 categories"
    assert (counted(1, "job", "wait"), counted(2, "job", "wait")) == ("1 job waits", "2 jobs wait")
    assert (noun_for(1, "scope"), noun_for(2, "scope")) == ("scope", "scopes")


def test_code_uses_the_plurals_module_for_every_count() -> None:
    found = set[str]()
    for path in (Path(__file__).parents[2] / "flexiprice").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = re.sub(r":[,.0-9a-z]+(?=\})", "", ast.unparse(node))
                found |= {
                    f"{text[: match.start()].rpartition('{')[2]}".join(("{", match[0]))
                    for match in _COUNTED_BY_HAND.finditer(text)
                }
    by_hand = {told for told in found if not _CONSTANT.match(told)}
    assert by_hand <= _NEVER_ONE, by_hand - _NEVER_ONE

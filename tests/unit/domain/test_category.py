"""Spellings of a category share one key."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiprice.domain.category import category_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bakery", "  bAKERY\t"),
        ("café", "CAFE\u0301"),
        ("GRÖSSE", "größe"),
        ("ΟΔΟΣ", "οδος"),
        ("ﬁsh", "FISH"),
        ("Fruit & Veg", "fruit  &\u00a0veg "),
    ],
)
def test_case_surrounding_space_and_composition_do_not_matter(one: str, other: str) -> None:
    assert category_key(one) == category_key(other)


def test_inner_space_and_accents_do_matter() -> None:
    assert len({category_key(name) for name in ("prepared meals", "preparedmeals", "cafe", "café")}) == 4


@given(st.text())
def test_category_key_is_idempotent(name: str) -> None:
    key = category_key(name)
    assert category_key(key) == key
    assert unicodedata.is_normalized("NFC", key)
    assert key == key.strip()

"""Names and codes hold no hidden and no bidirectional control characters."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from flexiprice.domain.catalog import CategoryName, Lot, ProductName, Sku
from flexiprice.domain.characters import refuse_hidden_in_text
from flexiprice.domain.policy import parse_policy
from flexiprice.errors import InvalidPolicy

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u2060\u2064\u2800\u3164\ufeff\uffa0\ufff9\U000e0041\U0001d173"
NEEDED = (
    "\u0645\u06cc\u200c\u062e\u0648",
    "क्\u200dष",
    "👩\u200d🌾 eggs",
    "❤\ufe0f",
    "1\ufe0f⃣ egg",
    "👩🏽\u200d🌾",
)
CODES = (Sku, Lot)
NAMES = (ProductName, CategoryName)


@pytest.mark.parametrize("character", [*BIDI, *INVISIBLE])
def test_a_hidden_character_is_refused_everywhere_and_named(character: str) -> None:
    for kind in (*CODES, *NAMES):
        with pytest.raises(ValidationError, match=re.escape(f"U+{ord(character):04X} (")):
            TypeAdapter[str](kind).validate_python(f"A{character}1")
    with pytest.raises(InvalidPolicy, match="at character 5"):
        parse_policy({"rules": [{"name": f"last{character}day", "discount": "0.5"}]})
    with pytest.raises(InvalidPolicy, match="cannot be seen"):
        parse_policy({"categories": {f"da{character}iry": {}}})


@pytest.mark.parametrize("name", NEEDED)
def test_joiners_that_scripts_and_emoji_need_are_allowed_in_names_and_not_in_codes(
    name: str,
) -> None:
    for kind in NAMES:
        assert TypeAdapter[str](kind).validate_python(name) == name
    for kind in CODES:
        with pytest.raises(ValidationError, match="cannot be seen"):
            TypeAdapter[str](kind).validate_python(name)


@pytest.mark.parametrize(
    "name", ["Ri\u200dce", "Ri\u200cce", "\u200dRice", "Rice\ufe0f", "é\u200dé", "\u0628\u200ca"]
)
def test_a_joiner_that_joins_nothing_is_hidden(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be seen"):
        TypeAdapter[str](ProductName).validate_python(name)


@pytest.mark.parametrize("character", ["\u00a0", "\u2009", "\u3000", "\ufffd"])
def test_a_code_has_no_space_of_another_kind_and_no_lost_letter(character: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](Sku).validate_python(f"A{character}1")
    assert TypeAdapter[str](ProductName).validate_python(f"A{character}1")


@pytest.mark.parametrize(
    "text",
    ["Ä-3", "牛乳1L", "🐄", "00392/174", "L/1 a", "x?y#z&w", "Ελιές", "חלב", "\u062d\u0644\u064a\u0628"],
)
def test_letters_of_any_script_and_signs_that_are_seen_are_welcome(text: str) -> None:
    for kind in (*CODES, *NAMES):
        assert TypeAdapter[str](kind).validate_python(text) == text


@pytest.mark.parametrize("kind", [*CODES, *NAMES])
def test_openapi_pattern_forbids_the_same_characters(kind: object) -> None:
    pattern = re.compile(TypeAdapter(kind).json_schema()["pattern"])
    assert pattern.search("Rye bread")
    assert not any(pattern.search(f"A{character}1") for character in BIDI)


def test_a_comment_may_have_lines_but_hides_nothing() -> None:
    assert refuse_hidden_in_text("two\nlines\tand é") == "two\nlines\tand é"
    for text in ("a\u202eb", "a\x1b[2Jb", "a\u200bb"):
        with pytest.raises(Exception, match="must not have"):
            refuse_hidden_in_text(text)

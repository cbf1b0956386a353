"""Validation of characters: names and codes may hold no invisible or bidirectional control characters.

Such characters are refused, not removed. Two codes that look the same on a label must not be two products.
Removing a character could merge one product into another, and the API has no way to warn of that. So every
source of input gives the same error, which names the character.
"""

import re
import unicodedata

from pydantic_core import PydanticCustomError

# Control characters and line separators; PostgreSQL cannot store NUL. Written as ranges of a character class,
# so that JSON schemas can use them too.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
# Characters that render as nothing: Default_Ignorable_Code_Point (bidirectional controls, zero-width spaces,
# byte order marks, fillers), annotation marks, and the blank Braille pattern.
HIDDEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
)
_HIDDEN_BEYOND_16_BITS = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
# Invisible too, but some scripts and emoji need them.
JOINERS = r"\u200c\u200d"
SELECTORS = r"\ufe00-\ufe0f"
# Spaces that look like U+0020, and the replacement character U+FFFD.
LOOK_ALIKES = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\ufffd"

_UNPRINTABLE = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
_UNPRINTABLE_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HIDDEN = re.compile(f"[{HIDDEN}{_HIDDEN_BEYOND_16_BITS}]")
_CONDITIONAL = re.compile(f"[{JOINERS}{SELECTORS}]")
_HIDDEN_IN_CODES = re.compile(f"[{HIDDEN}{_HIDDEN_BEYOND_16_BITS}{JOINERS}{SELECTORS}{LOOK_ALIKES}]")
_VIRAMA = 9
_VARIATION_SELECTOR = "\ufe0f"


def refuse_hidden_in_name(text: str) -> str:
    """Returns the text if all its characters are visible; joiners are allowed where a script needs them.

    Raises:
        PydanticCustomError: it has a control character, a line break or a hidden character.
    """
    if text.isascii() and text.isprintable():
        return text
    _refuse_controls(text, _UNPRINTABLE)
    _refuse_hidden(text)
    return text


def refuse_hidden_in_code(text: str) -> str:
    """Returns the text if all its characters are visible and distinguishable.

    Raises:
        PydanticCustomError: as for a name; also for joiners, and for spaces other than U+0020.
    """
    if text.isascii() and text.isprintable():
        return text
    _refuse_controls(text, _UNPRINTABLE)
    if found := _HIDDEN_IN_CODES.search(text):
        raise _hidden(found)
    return text


def refuse_hidden_in_text(text: str) -> str:
    """Returns a multi-line text if all its characters other than line breaks and tabs are visible.

    Raises:
        PydanticCustomError: it has another control character, or a hidden character.
    """
    _refuse_controls(text, _UNPRINTABLE_IN_TEXT)
    _refuse_hidden(text)
    return text


def _refuse_controls(text: str, pattern: re.Pattern[str]) -> None:
    if pattern.search(text):
        raise PydanticCustomError("unprintable", "must not have control characters or line breaks")


def _refuse_hidden(text: str) -> None:
    if found := _HIDDEN.search(text):
        raise _hidden(found)
    for found in _CONDITIONAL.finditer(text):
        if not _is_needed(text, found.start()):
            raise _hidden(found)


def _hidden(found: re.Match[str]) -> PydanticCustomError:
    character = found[0]
    name = unicodedata.name(character, "a character without a name").lower()
    return PydanticCustomError(
        "hidden_character",
        "must not have {code} ({name}), at character {position}: it cannot be seen, so remove it",
        {"code": f"U+{ord(character):04X}", "name": name, "position": found.start() + 1},
    )


def _is_needed(text: str, index: int) -> bool:
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if not before:
        return False
    if _is_symbol(before) or before in "0123456789#*":
        # A variant of an emoji, or a joined emoji.
        return text[index] == _VARIATION_SELECTOR or _is_symbol(after)
    if unicodedata.combining(before) == _VIRAMA:
        return text[index] in "\u200c\u200d"
    return text[index] in "\u200c\u200d" and _is_arabic(before) and _is_arabic(after)


def _is_symbol(character: str) -> bool:
    return bool(character) and (
        character == _VARIATION_SELECTOR or unicodedata.category(character) in {"So", "Sk", "Sm"}
    )


def _is_arabic(character: str) -> bool:
    return bool(character) and unicodedata.bidirectional(character) in {"AL", "NSM"}

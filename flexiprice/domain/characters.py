"""Characters that no name and no code may hold: those that nobody sees, and those that turn text around.

They are refused, not removed. Two codes that look the same on a label must not be two products, and
removing a character could merge one product into another; the API could not even warn of it. So every
way in gives the same answer, and it names the character.
"""

import re
import unicodedata

from pydantic_core import PydanticCustomError

# Control characters and line separators: some of them no database stores. As ranges of a class, for
# the patterns of the API's description too.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
# What Unicode lets a program draw as nothing (Default_Ignorable_Code_Point: bidirectional controls,
# zero-width spaces, byte order marks, fillers), annotation marks, and the empty Braille cell.
HIDDEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
)
_HIDDEN_BEYOND_16_BITS = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
# Invisible too, but some scripts and emoji cannot be written without them.
JOINERS = r"\u200c\u200d"
SELECTORS = r"\ufe00-\ufe0f"
# Spaces that look like the usual one, and the sign for a letter that was lost.
LOOK_ALIKES = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\ufffd"

_UNPRINTABLE = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
_UNPRINTABLE_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HIDDEN = re.compile(f"[{HIDDEN}{_HIDDEN_BEYOND_16_BITS}]")
_CONDITIONAL = re.compile(f"[{JOINERS}{SELECTORS}]")
_HIDDEN_IN_CODES = re.compile(f"[{HIDDEN}{_HIDDEN_BEYOND_16_BITS}{JOINERS}{SELECTORS}{LOOK_ALIKES}]")
_VIRAMA = 9
_VARIATION_SELECTOR = "\ufe0f"


def refuse_hidden_in_name(text: str) -> str:
    """The text, where every character of it can be seen; joiners may stand where a script needs them.

    Raises:
        PydanticCustomError: it has a control character, a line break or a hidden character.
    """
    if text.isascii() and text.isprintable():
        return text
    _refuse_controls(text, _UNPRINTABLE)
    _refuse_hidden(text)
    return text


def refuse_hidden_in_code(text: str) -> str:
    """The text, where every character of it can be seen and is told apart from all others.

    Raises:
        PydanticCustomError: as for a name; also for joiners, and for spaces that are not the usual one.
    """
    if text.isascii() and text.isprintable():
        return text
    _refuse_controls(text, _UNPRINTABLE)
    if found := _HIDDEN_IN_CODES.search(text):
        raise _hidden(found)
    return text


def refuse_hidden_in_text(text: str) -> str:
    """A text of several lines, where every other character of it can be seen.

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


def _is_needed(text: str, place: int) -> bool:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not before:
        return False
    if _is_symbol(before) or before in "0123456789#*":
        # An emoji's variant, or an emoji that is made of two.
        return text[place] == _VARIATION_SELECTOR or _is_symbol(after)
    if unicodedata.combining(before) == _VIRAMA:
        return text[place] in "\u200c\u200d"
    return text[place] in "\u200c\u200d" and _is_arabic(before) and _is_arabic(after)


def _is_symbol(character: str) -> bool:
    return bool(character) and (
        character == _VARIATION_SELECTOR or unicodedata.category(character) in {"So", "Sk", "Sm"}
    )


def _is_arabic(character: str) -> bool:
    return bool(character) and unicodedata.bidirectional(character) in {"AL", "NSM"}

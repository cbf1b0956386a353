"""How categories are compared."""

import re
import unicodedata

_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")


def category_key(name: str) -> str:
    r"""The key by which a category is stored and compared: `" Café "` and `"CAFE\u0301"` share one.

    Stripped, NFC-normalised and case-folded, each run of spaces one space; the key of a key is that key.
    """
    key = _fold(name)
    # Folding can uncover something to compose or to fold again (U+0345 does), so one round is not
    # enough for every string.
    while (again := _fold(key)) != key:
        key = again
    return key


def _fold(name: str) -> str:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())
    # A space of another kind, or a second one, is no other category to anybody.
    return _SPACES.sub(" ", folded).strip()

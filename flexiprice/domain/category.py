"""Normalisation of category names."""

import re
import unicodedata

_SPACES = re.compile(r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")


def category_key(name: str) -> str:
    r"""Returns the key by which a category is stored and compared: `" Café "` and `"CAFE\u0301"` share one.

    The name is stripped, NFC-normalised and case-folded, and each run of spaces becomes one space. The
    function is idempotent.
    """
    key = _fold(name)
    # Folding can expose characters that compose or fold again (U+0345 does): repeat until it is stable.
    while (again := _fold(key)) != key:
        key = again
    return key


def _fold(name: str) -> str:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())
    # People cannot see the kind or the number of spaces.
    return _SPACES.sub(" ", folded).strip()

"""How categories are compared."""

import unicodedata


def category_key(name: str) -> str:
    r"""The key by which a category is stored and compared: `" Café "` and `"CAFE\u0301"` share one.

    Stripped, NFC-normalised and case-folded; the key of a key is that key.
    """
    key = _fold(name)
    # Folding can uncover something to compose or to fold again (U+0345 does), so one round is not
    # enough for every string.
    while (again := _fold(key)) != key:
        key = again
    return key


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())

"""The signs and words of a currency in the languages of its countries, from CLDR by babel."""

from collections.abc import Iterator
from functools import lru_cache

# Arabic and Hebrew texts have invisible marks around an amount.
DIRECTION_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))


@lru_cache(maxsize=8)
def local_words(currency: str) -> frozenset[str]:
    """Returns symbols and names of one word, in lower case, such as `zł`, `€` and `ευρώ`.

    Args:
        currency: ISO 4217.
    """
    return frozenset(_words(currency))


def _words(currency: str) -> Iterator[str]:
    # Imported here, because most files have no sign that the table of signs lacks.
    from babel.core import Locale, UnknownLocaleError, get_global  # noqa: PLC0415
    from babel.languages import get_official_languages  # noqa: PLC0415
    from babel.numbers import get_currency_name, get_currency_symbol  # noqa: PLC0415

    for territory, uses in get_global("territory_currencies").items():
        if not any(code == currency and end is None and is_tender for code, _, end, is_tender in uses):
            continue
        for language in get_official_languages(territory, de_facto=True):
            try:
                locale = Locale.parse(f"{language}_{territory}")
            except (UnknownLocaleError, ValueError):
                continue
            symbol = get_currency_symbol(currency, locale)
            names = {get_currency_name(currency, count, locale) for count in (None, 1, 2, 5, 10)}
            for word in (symbol, *names):
                if word and not word.isspace() and " " not in word:
                    yield normal_sign(word)


def normal_sign(sign: str) -> str:
    """Returns a sign or word for comparison: without direction marks and a final point, in lower case."""
    return sign.translate(DIRECTION_MARKS).strip().rstrip(".").casefold()

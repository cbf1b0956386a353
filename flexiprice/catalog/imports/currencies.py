"""Currency signs and words, by ISO 4217 code."""

from collections.abc import Mapping

# Compared without regard to case and a final full stop. Several currencies may share a sign.
_SIGNS: Mapping[str, str] = {
    "AED": "dh dhs",
    "ARS": "$ ar$",
    "AUD": "$ a$ au$",
    "BGN": "лв lv",
    "BRL": "r$",
    "CAD": "$ c$ ca$ can$",
    "CHF": "fr sfr fr₣ ₣",
    "CLP": "$",
    "CNY": "¥ 元 cn¥ rmb yuan",
    "COP": "$ col$",
    "CZK": "kč kc",
    "DKK": "kr dkr",
    "EGP": "e£ le",
    "EUR": "€ euro euros",
    "GBP": "£ pound pounds",
    "GHS": "gh₵ ₵",
    "HKD": "$ hk$",
    "HUF": "ft",
    "IDR": "rp",
    "ILS": "₪ nis",
    "INR": "₹ rs re rupee rupees",
    "JPY": "¥ 円 yen",
    "KES": "ksh",
    "KRW": "₩ won",
    "LKR": "rs ₨",
    "MAD": "dh dhs",
    "MXN": "$ mx$ mex$",
    "MYR": "rm",
    "NGN": "₦",
    "NOK": "kr nkr",
    "NPR": "rs ₨",
    "NZD": "$ nz$",
    "PEN": "s/",
    "PHP": "₱ p",
    "PKR": "rs ₨",
    "PLN": "zł zl złotych",
    "RON": "lei leu",
    "RSD": "din дин",
    "RUB": "₽ руб р",  # noqa: RUF001 - Cyrillic
    "SAR": "sr ﷼",
    "SEK": "kr skr",
    "SGD": "$ s$ sg$",
    "THB": "฿ baht",
    "TRY": "₺ tl",
    "TWD": "$ nt$ 元",
    "UAH": "₴ грн",
    "USD": "$ us$ dollar dollars",
    "VND": "₫ đ",
    "ZAR": "r",
}
_CURRENCIES_OF: dict[str, set[str]] = {}
for _code, _signs in _SIGNS.items():
    for _sign in (_code.casefold(), *_signs.split()):
        _CURRENCIES_OF.setdefault(_sign, set()).add(_code)


def currencies_of(sign: str) -> frozenset[str]:
    """Returns the ISO 4217 codes of a sign or word; none if it is unknown.

    Three capital letters are a code, known or not.
    """
    plain = sign.rstrip(".").casefold()
    known = _CURRENCIES_OF.get(plain)
    if known is None and len(sign) == len("EUR") and sign.isascii() and sign.isupper():
        return frozenset({sign})
    return frozenset(known or ())

"""Currency signs and words, by ISO 4217 code: those of the currencies in which most groceries are sold.

They name the currency of an amount that is not in the shop's. Words of other currencies are known to
`local_words` alone, for the shop's own.
"""

from collections.abc import Mapping

from flexiprice.catalog.imports.notation.local_words import normal_sign

# The symbols are CLDR's, wide and narrow; the words are the nouns of CLDR's plural names, and the
# abbreviations of price lists, without accents too. They are compared without regard to case and a final
# point. Several currencies may share one.
_SIGNS: Mapping[str, str] = {
    "AED": "dh dhs د.إ dirham dirhams",
    "ALL": "lekë lek",
    "ARS": "$ ar$",
    "AUD": "$ a$ au$",
    "BDT": "৳ tk taka",
    "BGN": "лв lv лева лев",
    "BRL": "r$ real reais",
    "CAD": "$ c$ ca$ can$",
    "CHF": "fr sfr fr₣ ₣ franken francs franc franchi",
    "CLP": "$",
    "CNY": "¥ 元 cn¥ rmb yuan",
    "COP": "$ col$",
    "CRC": "₡",
    "CZK": "kč kc kčs korun koruna koruny",
    "DKK": "kr dkr krone kroner",
    "EGP": "e£ le ج.م",
    "EUR": "€ euro euros",
    "GBP": "£ pound pounds",
    "GEL": "₾ lari ლარი",
    "GHS": "gh₵ ₵",
    "HKD": "$ hk$",
    "HUF": "ft forint",
    "IDR": "rp rupiah",
    "ILS": "₪ nis ש״ח",
    "INR": "₹ rs re rupee rupees",
    "ISK": "íkr króna krónur",
    "JPY": "¥ 円 yen",
    "KES": "ksh kshs",
    "KRW": "₩ won",
    "KWD": "kd د.ك",
    "KZT": "₸ тг тенге",
    "LKR": "rs ₨",
    "MAD": "dh dhs د.م dirham dirhams",
    "MKD": "ден denar denari",
    "MUR": "₨ rs",
    "MXN": "$ mx$ mex$",
    "MYR": "rm ringgit",
    "NGN": "₦",
    "NOK": "kr nkr krone kroner",
    "NPR": "rs ₨",
    "NZD": "$ nz$",
    "PEN": "s/",
    "PHP": "₱ p piso",
    "PKR": "rs ₨",
    "PLN": "zł zl złoty złote złotych zloty zlote zlotych",
    "PYG": "₲",
    "QAR": "qr ر.ق riyal riyals",
    "RON": "lei leu",
    "RSD": "din дин динара динар",
    "RUB": "₽ руб р рубль рубля рублей",  # noqa: RUF001 - Cyrillic
    "SAR": "sr ﷼ ر.س riyal riyals",
    "SEK": "kr skr krona kronor",
    "SGD": "$ s$ sg$",
    "THB": "฿ baht บาท",
    "TRY": "₺ tl lira lirası",  # noqa: RUF001 - Turkish
    "TWD": "$ nt$ 元",
    "UAH": "₴ грн гривня гривні гривень",
    "USD": "$ us$ dollar dollars",
    "VND": "₫ đ đồng dong",
    "ZAR": "r rand",
}
_CURRENCIES_OF: dict[str, set[str]] = {}
for _code, _signs in _SIGNS.items():
    for _sign in (_code.casefold(), *_signs.split()):
        _CURRENCIES_OF.setdefault(_sign, set()).add(_code)


def currencies_of(sign: str) -> frozenset[str]:
    """Returns the ISO 4217 codes of a sign or word; none if it is unknown.

    Three capital letters are a code, known or not.
    """
    plain = normal_sign(sign)
    known = _CURRENCIES_OF.get(plain)
    if known is None and len(sign) == len("EUR") and sign.isascii() and sign.isupper():
        return frozenset({sign})
    return frozenset(known or ())

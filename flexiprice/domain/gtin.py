"""Global Trade Item Numbers: the numbers in the barcodes of products, checked and in one length."""

import re
from typing import Final

from pydantic_core import PydanticCustomError

# GTIN-8, GTIN-12 (UPC-A), GTIN-13 (EAN-13) and GTIN-14 (cases).
_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)
_DIGITS: Final = 14


def gtin_14(text: str) -> str:
    """Returns a GTIN of 8, 12, 13 or 14 digits with 14 digits, the form in which two GTINs are compared.

    Raises:
        PydanticCustomError: it has another length or other characters, only zeros, or a wrong check digit.
    """
    digits = text.strip()
    if not _GTIN.fullmatch(digits):
        raise PydanticCustomError("gtin", "must have 8, 12, 13 or 14 digits")
    if not digits.strip("0"):
        raise PydanticCustomError("gtin_zero", "must not be all zeros")
    expected = check_digit(digits[:-1])
    if digits[-1] != expected:
        raise PydanticCustomError(
            "gtin_check_digit",
            "must end in its check digit {expected}, not in {given}: a digit is wrong",
            {"expected": expected, "given": digits[-1]},
        )
    return digits.zfill(_DIGITS)


def check_digit(payload: str) -> str:
    """Returns the check digit of the digits before it: weights of 3 and 1 from the right, modulo 10."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(payload)))
    return str(-total % 10)

"""GTINs of every length are checked and compared by their 14 digits."""

import pytest
from biip.checksums import gs1_standard_check_digit
from pydantic import TypeAdapter, ValidationError

from flexiprice.domain.catalog import Gtin
from flexiprice.domain.gtin import check_digit

GTIN = TypeAdapter(Gtin)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("96385074", "00000096385074"),
        ("012345678905", "00012345678905"),
        ("4006381333931", "04006381333931"),
        ("14006381333938", "14006381333938"),
        (" 4006381333931\n", "04006381333931"),
    ],
)
def test_a_gtin_of_every_length_has_14_digits(given: str, kept: str) -> None:
    assert GTIN.validate_python(given) == kept
    assert GTIN.validate_python(kept) == kept


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("4006381333932", "must end in its check digit 1, not in 2: a digit is wrong"),
        ("4006381333391", "must end in its check digit 9, not in 1"),
        ("400638133393", "must end in its check digit"),
        ("00000000000000", "must not be all zeros"),
        ("12345678901", "must have 8, 12, 13 or 14 digits"),
        ("123456789012345", "must have 8, 12, 13 or 14 digits"),
        ("400638133393x", "must have 8, 12, 13 or 14 digits"),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", "must have 8, 12, 13 or 14 digits"),
        ("", "must have 8, 12, 13 or 14 digits"),
    ],
)
def test_a_gtin_that_cannot_be_says_why(given: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        GTIN.validate_python(given)


def test_every_digit_that_is_changed_alone_is_noticed() -> None:
    good = "4006381333931"
    for place, digit in enumerate(good):
        for other in set("0123456789") - {digit}:
            with pytest.raises(ValidationError):
                GTIN.validate_python(good[:place] + other + good[place + 1 :])


@pytest.mark.parametrize("payload", [f"{number:012}" for number in range(1, 300, 7)] + ["629104150021"])
def test_a_check_digit_is_the_one_that_biip_computes(payload: str) -> None:
    assert check_digit(payload) == str(gs1_standard_check_digit(payload))

"""The text of a scan is read by the GS1 General Specifications; an error names the AI that is wrong."""

from datetime import date, time
from decimal import Decimal

import pytest

from flexiprice.catalog.gs1 import MAX_SCAN_LENGTH, Scan, parse_scan
from flexiprice.catalog.gs1_dates import gs1_date
from flexiprice.errors import InvalidInput

TODAY = date(2026, 11, 27)
GTIN = "04006381333931"
FNC1 = "\x1d"


def read(code: str) -> Scan:
    return parse_scan(code, today=TODAY)


def refusal(code: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read(code)
    assert refused.value.details["field"] == "code"
    return refused.value


@pytest.mark.parametrize(
    "code",
    [
        "4006381333931",
        GTIN,
        " 4006381333931 ",
        "]E04006381333931",
        f"]I1{GTIN}",
        f"]C101{GTIN}",
        f"01{GTIN}",
        f"(01){GTIN}",
        "https://id.gs1.org/01/4006381333931",
        "]Q3http://shop.example/de/01/4006381333931?utm_source=label",
        "]Q1HTTPS://ID.GS1.ORG/01/04006381333931",
        f"02{GTIN}",
    ],
)
def test_one_product_is_the_same_in_every_notation(code: str) -> None:
    scan = read(code)
    assert scan.gtin == GTIN
    assert (scan.lot, scan.expiry_date, scan.weight, scan.price, scan.count) == (None,) * 5


@pytest.mark.parametrize(
    "code",
    [
        f"]C101{GTIN}1726123110AB-1{FNC1}21S/7",
        f"]d2{FNC1}01{GTIN}10AB-1{FNC1}21S/7{FNC1}17261231",
        f"]Q301{GTIN}17261231{FNC1}10AB-1{FNC1}21S/7",
        f"]e001{GTIN}10AB-1|21S/7|17261231",
        f"01{GTIN}10AB-1~21S/7~17261231{FNC1}",
        f"(01){GTIN}(17)261231(10)AB-1(21)S/7",
        f"(01) {GTIN} (10) AB-1 (21) S/7 (17) 261231",
        f"https://id.gs1.org/01/{GTIN}/10/AB-1/21/S%2F7?17=261231",
        f"https://shop.example/x/01/{GTIN}?10=AB-1&21=S/7&17=261231&exp=never",
    ],
)
def test_lot_serial_and_date_are_the_same_in_every_notation(code: str) -> None:
    scan = read(code)
    assert (scan.gtin, scan.lot, scan.serial, scan.use_by) == (GTIN, "AB-1", "S/7", date(2026, 12, 31))
    assert dict(scan.elements) == {"01": GTIN, "10": "AB-1", "17": "261231", "21": "S/7"}


def test_every_element_string_is_kept_in_its_order() -> None:
    assert read(f"01{GTIN}112611204109501101020917").elements == (
        ("01", GTIN),
        ("11", "261120"),
        ("410", "9501101020917"),
    )


@pytest.mark.parametrize(
    ("element_string", "weight"),
    [("3103001250", "1.250"), ("3100000012", "12"), ("3102001250", "12.50"), ("3105001250", "0.01250")],
)
def test_a_net_weight_is_in_kg_with_the_decimals_of_its_ai(element_string: str, weight: str) -> None:
    found = read(f"01{GTIN}{element_string}").weight
    assert found is not None
    assert (found, str(found)) == (Decimal(weight), weight)


@pytest.mark.parametrize(
    ("element_string", "price"),
    [("39220499", "4.99"), ("3920499", "499"), ("39235", "0.005"), ("3929123", "1.23E-7")],
)
def test_a_price_has_the_decimals_of_its_ai(element_string: str, price: str) -> None:
    assert read(f"01{GTIN}{element_string}").price == Decimal(price)


def test_a_count_of_a_package_is_read() -> None:
    assert read(f"02{GTIN}3712{FNC1}10L").count == 12
    assert read(f"01{GTIN}3024").count == 24


@pytest.mark.parametrize(
    ("digits", "day"),
    [
        ("261231", date(2026, 12, 31)),
        ("280200", date(2028, 2, 29)),
        ("270200", date(2027, 2, 28)),
        ("261100", date(2026, 11, 30)),
        ("760101", date(2076, 1, 1)),
        ("770101", date(1977, 1, 1)),
        ("990101", date(1999, 1, 1)),
        ("000101", date(2000, 1, 1)),
    ],
)
def test_a_date_has_the_nearest_century_and_day_00_is_the_last_of_its_month(digits: str, day: date) -> None:
    assert gs1_date(digits, today=TODAY) == day


def test_the_century_follows_the_day_on_which_it_is_read() -> None:
    assert gs1_date("200101", today=date(2060, 1, 1)) == date(2020, 1, 1)
    assert gs1_date("100101", today=date(2060, 1, 1)) == date(2110, 1, 1)
    assert gs1_date("110101", today=date(2060, 1, 1)) == date(2011, 1, 1)


def test_use_by_goes_before_best_before() -> None:
    assert read(f"01{GTIN}15261231").expiry_date == date(2026, 12, 31)
    scan = read(f"01{GTIN}1526123117261130")
    assert (scan.best_before, scan.use_by, scan.expiry_date) == (
        date(2026, 12, 31),
        date(2026, 11, 30),
        date(2026, 11, 30),
    )


def test_a_date_with_a_time_ends_the_sale_on_its_day_or_before_it_begins() -> None:
    noon = read(f"01{GTIN}70032612311230")
    assert (noon.use_by, noon.use_by_time) == (date(2026, 12, 31), time(12, 30))
    assert noon.expiry_date == date(2026, 12, 31)
    midnight = read(f"01{GTIN}70032612310000{FNC1}17261231")
    assert (midnight.use_by, midnight.expiry_date) == (date(2026, 12, 31), date(2026, 12, 30))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("4006381333932", "the GTIN '4006381333932' must end in its check digit 1, not in 2"),
        ("]E0400638133393", "the GTIN '400638133393' must end in its check digit"),
        ("]E0ABC", "the GTIN 'ABC' must have 8, 12, 13 or 14 digits"),
        ("", "'' is no code of GS1"),
        ("Käse", "'Käse' is no code of GS1"),
        ("1" * (MAX_SCAN_LENGTH + 1), "is no code of GS1"),
        ("ABC", "'ABC' is neither a GTIN nor begins with an application identifier"),
        ("]", "']' is neither a GTIN"),
        ("]C1", "names no product: it has no AI (01) or (02)"),
        ("00340123450000000000", "names no product"),
        ("()", "'()' is neither a GTIN"),
        (f"x(01){GTIN}", "is neither a GTIN"),
        ("http://[", "the GS1 Digital Link cannot be read"),
        ("https://shop.example/bread", "the GS1 Digital Link cannot be read: Expected a primary identifier"),
    ],
)
def test_a_code_that_cannot_be_read_says_why(code: str, reason: str) -> None:
    assert reason in refusal(code).message


@pytest.mark.parametrize(
    ("code", "ai", "reason"),
    [
        (f"01{GTIN[:-1]}2", "01", "AI (01): the GTIN '04006381333932' must end in its check digit 1"),
        (f"02{GTIN[:-1]}2", "02", "AI (02): the GTIN"),
        ("]C101400638133393", "01", "AI (01): '400638133393' must be N14"),
        (f"01{GTIN}17261331", "17", "AI (17): '261331' is not a date: there is no month 13"),
        (f"01{GTIN}17260031", "17", "AI (17): '260031' is not a date: there is no month 00"),
        (f"01{GTIN}15261232", "15", "AI (15): '261232' is not a date: there is no day 32"),
        (f"01{GTIN}15270229", "15", "AI (15): '270229' is not a date: 2027-02 has no day 29"),
        (f"01{GTIN}11269931", "11", "AI (11): '269931' is not a date: there is no month 99"),
        (f"01{GTIN}1712345", "17", "AI (17): '12345' must be N6: Expiration date (YYMMDD)"),
        (f"(01){GTIN}(17)2612311", "17", "AI (17): '2612311' must be N6"),
        (f"01{GTIN}70032612312400", "7003", "AI (7003): '2612312400' is not a date with a time"),
        (f"01{GTIN}70032612310060", "7003", "there is no 00:60"),
        (f"01{GTIN}70032612001200", "7003", "AI (7003): '261200' is not a date: 2026-12 has no day 00"),
        (f"01{GTIN}1726123070032612311200", "7003", "AI (17) and AI (7003) give two dates"),
        (f"01{GTIN}10A{FNC1}10B", "10", "AI (10) has two values: A and B"),
        (f"01{GTIN}10{'A' * 21}", "10", "is too long; is the separator (FNC1, sent as GS) missing after it?"),
        (f"01{GTIN}10Käse", "", "is no code of GS1"),
        (f"01{GTIN}310312345", "3103", "AI (3103): '12345' must be N6: Net weight, kilograms"),
        (f"(01){GTIN}(31)03001250", "31", "(31) is not an application identifier of GS1"),
        (f"https://id.gs1.org/01/{GTIN}?17=261331", "17", "there is no month 13"),
        (f"https://id.gs1.org/01/{GTIN}?17=270229", "17", "2027-02 has no day 29"),
        ("https://id.gs1.org/01/4006381333932", "01", "must end in its check digit 1, not in 2"),
    ],
)
def test_an_element_string_that_is_wrong_is_named_by_its_ai(code: str, ai: str, reason: str) -> None:
    refused = refusal(code)
    assert reason in refused.message
    assert refused.details.get("ai", "") == ai


def test_an_unknown_ai_may_come_from_a_lost_separator() -> None:
    assert refusal(f"]d201{GTIN}0534").message == (
        "'0534' begins with no application identifier (AI) of GS1; is the separator (FNC1, sent as GS) "
        "missing before it?"
    )

"""Whatever a label may hold is read back from every notation, and no text ends in another error."""

import string
from datetime import date
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from flexiprice.catalog.gs1 import Scan, parse_scan
from flexiprice.domain.gtin import check_digit, gtin_14
from flexiprice.errors import InvalidInput

TODAY = date(2026, 11, 27)
FNC1 = "\x1d"
# The characters that a lot or a serial number may have (GS1 General Specifications, figure 7.11-1).
LETTERS = string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_"

payloads = st.sampled_from([7, 11, 12, 13]).flatmap(
    lambda length: st.text("0123456789", min_size=length, max_size=length)
)
gtins = payloads.filter(lambda text: text.strip("0")).map(lambda text: text + check_digit(text))
lots = st.text(LETTERS, min_size=1, max_size=20)
days = st.dates(date(1977, 1, 1), date(2076, 12, 31))


@st.composite
def labels(draw: st.DrawFn) -> dict[str, str]:
    """Values by AI, in the order in which they stand on the label."""
    label = {}
    for ai, values in {
        "10": lots,
        "15": days.map(lambda day: f"{day:%y%m%d}"),
        "17": days.map(lambda day: f"{day:%y%m%d}"),
        "21": lots,
        "3103": st.integers(0, 999_999).map(lambda grams: f"{grams:06}"),
        "3922": st.integers(0, 999_999).map(str),
    }.items():
        if draw(st.booleans()):
            label[ai] = draw(values)
    return {"01": gtin_14(draw(gtins))} | dict(draw(st.permutations(list(label.items()))))


def check(scan: Scan, label: dict[str, str]) -> None:
    assert dict(scan.elements) == label
    assert scan.gtin == label["01"]
    assert (scan.lot, scan.serial) == (label.get("10"), label.get("21"))
    for ai, day in (("15", scan.best_before), ("17", scan.use_by)):
        assert (f"{day:%y%m%d}" if day else None) == label.get(ai)
    assert (None if scan.weight is None else f"{scan.weight * 1000:06.0f}") == label.get("3103")
    assert (None if scan.price is None else f"{scan.price * 100:.0f}") == label.get("3922")


@given(labels(), st.sampled_from(["", "]C1", "]d2", "]Q3", f"]d2{FNC1}"]))
def test_a_label_is_read_back_from_its_element_strings(label: dict[str, str], symbology: str) -> None:
    code = symbology + "".join(f"{ai}{value}{FNC1}" for ai, value in label.items())
    check(parse_scan(code, today=TODAY), label)


@given(labels())
def test_a_label_is_read_back_from_its_digital_link(label: dict[str, str]) -> None:
    more = "&".join(f"{ai}={quote(value, safe='')}" for ai, value in label.items() if ai != "01")
    check(parse_scan(f"https://id.gs1.org/01/{label['01']}?{more}", today=TODAY), label)


@given(labels())
def test_a_label_is_read_back_from_the_text_under_its_barcode(label: dict[str, str]) -> None:
    # A number in brackets within a lot looks like an AI: people cannot tell either.
    readable = {ai: value.translate(str.maketrans("()", "__")) for ai, value in label.items()}
    code = "".join(f"({ai}){value}" for ai, value in readable.items())
    check(parse_scan(code, today=TODAY), readable)


def gtin_or_refusal(code: str) -> str | None:
    """The GTIN of a code that can be read; None where it is refused as the field `code`."""
    try:
        return parse_scan(code, today=TODAY).gtin
    except InvalidInput as refused:
        return None if refused.details["field"] == "code" else str(refused.details)


@given(st.one_of(st.text(max_size=60), st.text("01731()]C" + FNC1, max_size=60)))
def test_a_text_is_read_or_refused(code: str) -> None:
    gtin = gtin_or_refusal(code)
    assert gtin is None or gtin_14(gtin) == gtin


@given(st.text("0123456789/?&=:[]@%#", max_size=40))
def test_a_link_is_read_or_refused(rest: str) -> None:
    gtin = gtin_or_refusal(f"https://{rest}")
    assert gtin is None or gtin_14(gtin) == gtin

"""Reads the text of a scan: a plain GTIN, or the element strings of GS1-128, DataMatrix, QR and Digital Link.

The formats of application identifiers (AIs) are biip's. Dates and check digits are judged here, because biip
takes the century from this machine's clock and leaves a wrong check digit in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final

from biip import ParseConfig, ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from pydantic_core import PydanticCustomError

from flexiprice.catalog.gs1_dates import gs1_date, gs1_time
from flexiprice.domain.gtin import gtin_14
from flexiprice.errors import InvalidInput

MAX_SCAN_LENGTH: Final = 2000
# Scanners send GS for FNC1. The others stand for it where a keyboard cannot type GS; no GS1 value has them.
SEPARATORS: Final = "\x1d|~"
_CONFIG: Final = ParseConfig(separator_chars=SEPARATORS, gs1_element_strings_verify_date=False)
_SYMBOLOGY: Final = re.compile(r"\](?P<identifier>[A-Za-z][0-9A-Za-z])")
_OF_GTINS: Final = frozenset({"E0", "E4", "I1"})
_OF_ELEMENT_STRINGS: Final = frozenset({"C1", "d2", "e0", "J1", "Q3"})
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_BRACKETED_AI: Final = re.compile(r"\(([0-9]{2,4})\)")
_DATES: Final = frozenset({"11", "12", "13", "15", "16", "17"})
_SIX_DIGITS: Final = re.compile(r"[0-9]{6}")
# Digits that fit no format have a wrong month or day whatever the year.
_ANY_DAY: Final = date(2000, 1, 1)
_SHOWN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The data of one scan; None for what the code does not have.

    Attributes:
        gtin: 14 digits, of AI 01 or 02.
        lot: AI 10.
        serial: AI 21.
        best_before: AI 15.
        use_by: AI 17, or the date of AI 7003.
        use_by_time: the store's local time of AI 7003.
        weight: net weight in kg, of AI 310n.
        price: amount payable in the shop's currency, of AI 392n.
        count: units in the package, of AI 37 or 30.
        elements: all element strings in order, as AI and value.
    """

    gtin: str
    lot: str | None = None
    serial: str | None = None
    best_before: date | None = None
    use_by: date | None = None
    use_by_time: time | None = None
    weight: Decimal | None = None
    price: Decimal | None = None
    count: int | None = None
    elements: tuple[tuple[str, str], ...] = ()

    @property
    def expiry_date(self) -> date | None:
        """The last day of sale: by `use_by` if there is one, else by `best_before`."""
        if self.use_by is not None and self.use_by_time == time.min:
            # Used up when this day begins.
            return self.use_by - timedelta(days=1)
        return self.use_by or self.best_before


def parse_scan(text: str, *, today: date) -> Scan:
    """Reads the text that a scanner sends.

    Args:
        text: with or without a symbology identifier such as `]C1`; separators are GS (0x1D), `|` or `~`.
            AIs may be in brackets, as under a barcode.
        today: the date from which a year of two digits is completed.

    Raises:
        InvalidInput: it is none of these, names no product, or an element string is wrong; the message names
            its AI.
    """
    code = text.strip()
    if not code or len(code) > MAX_SCAN_LENGTH or not code.isascii():
        raise _refused(f"{_shown(code)} is no code of GS1")
    symbology = _SYMBOLOGY.match(code)
    identifier = symbology["identifier"] if symbology else ""
    code = code[symbology.end() :] if symbology else code
    is_number = code.isdigit() and len(code) in _GTIN_LENGTHS
    if identifier in _OF_GTINS or (is_number and identifier not in _OF_ELEMENT_STRINGS):
        gtin = _gtin(code)
        return Scan(gtin=gtin, elements=(("01", gtin),))
    return _scan_of(tuple(_elements(code)), today)


def _elements(code: str) -> Iterator[tuple[str, str]]:
    if code.lower().startswith(("http://", "https://")):
        return _elements_of_link(code)
    if code.startswith("("):
        return _elements_in_brackets(code)
    return _element_strings(code)


def _element_strings(code: str) -> Iterator[tuple[str, str]]:
    rest = content = code.strip(SEPARATORS)
    while rest:
        try:
            element = GS1ElementString.extract(rest, config=_CONFIG)
        except ParseError:
            raise _unreadable(rest, is_first=rest is content) from None
        yield element.ai.ai, element.value
        rest = rest[len(element) :]
        if rest and ".." in element.ai.format and rest[0] not in SEPARATORS:
            raise _refused(
                f"AI ({element.ai.ai}): {_shown(element.value + rest)} is too long; is the separator (FNC1, "
                "sent as GS) missing after it?",
                ai=element.ai.ai,
            )
        rest = rest.lstrip(SEPARATORS)


def _elements_in_brackets(code: str) -> Iterator[tuple[str, str]]:
    before, *parts = _BRACKETED_AI.split(code)
    if before or not parts:
        raise _unreadable(code)
    for ai, value in zip(parts[::2], parts[1::2], strict=True):
        element_string = ai + value.strip(f"{SEPARATORS} ")
        try:
            element = GS1ElementString.parse(element_string, config=_CONFIG)
        except ParseError:
            raise _unreadable(element_string) from None
        if element.ai.ai != ai:
            raise _refused(f"({ai}) is not an application identifier of GS1", ai=ai)
        yield ai, element.value


def _elements_of_link(code: str) -> Iterator[tuple[str, str]]:
    try:
        link = GS1DigitalLinkURI.parse(code, config=_CONFIG)
    except (ParseError, ValueError) as error:
        unmatched = re.search(r"match '(.*)' with GS1 AI", str(error))
        if unmatched is not None:
            raise _unreadable(unmatched[1]) from None
        raise _refused(f"the GS1 Digital Link cannot be read: {error}") from None
    for element in link.element_strings:
        yield element.ai.ai, element.value


def _scan_of(elements: tuple[tuple[str, str], ...], today: date) -> Scan:
    values: dict[str, str] = {}
    for ai, value in elements:
        if values.setdefault(ai, value) != value:
            raise _refused(f"AI ({ai}) has two values: {values[ai]} and {value}", ai=ai)
    named_by = "01" if "01" in values else "02"
    if named_by not in values:
        raise _refused("the code names no product: it has no AI (01) or (02)", ai="01")
    dates = {ai: _date(ai, values[ai], today) for ai in values if ai in _DATES}
    use_by, use_by_time = dates.get("17"), None
    if (moment := values.get("7003")) is not None:
        use_by, use_by_time = _date("7003", moment[:6], today), _time(moment)
        if dates.get("17", use_by) != use_by:
            raise _refused("AI (17) and AI (7003) give two dates", ai="7003")
    count = values.get("37") or values.get("30")
    return Scan(
        gtin=_gtin(values[named_by], named_by),
        lot=values.get("10"),
        serial=values.get("21"),
        best_before=dates.get("15"),
        use_by=use_by,
        use_by_time=use_by_time,
        weight=_decimal(values, "310"),
        price=_decimal(values, "392"),
        count=int(count) if count else None,
        elements=elements,
    )


def _gtin(digits: str, ai: str = "") -> str:
    try:
        return gtin_14(digits)
    except PydanticCustomError as error:
        named = f"AI ({ai}): " if ai else ""
        raise _refused(f"{named}the GTIN {_shown(digits)} {error.message()}", ai=ai) from None


def _date(ai: str, value: str, today: date) -> date:
    try:
        return gs1_date(value, today=today, has_day=ai == "7003")
    except ValueError as error:
        raise _refused(f"AI ({ai}): {_shown(value)} {error}", ai=ai) from None


def _time(moment: str) -> time:
    try:
        return gs1_time(moment[6:])
    except ValueError as error:
        raise _refused(f"AI (7003): {_shown(moment)} {error}", ai="7003") from None


def _decimal(values: dict[str, str], kind: str) -> Decimal | None:
    # The last digit of the AI is the number of decimals.
    found = next((ai for ai in values if ai.startswith(kind)), None)
    return None if found is None else Decimal(values[found]).scaleb(-int(found[-1]))


def _unreadable(rest: str, *, is_first: bool = True) -> InvalidInput:
    element_string = re.split(f"[{SEPARATORS}]", rest)[0]
    try:
        ai = GS1ApplicationIdentifier.extract(element_string)
    except ParseError:
        if is_first:
            return _refused(
                f"{_shown(rest)} is neither a GTIN nor begins with an application identifier (AI) of GS1"
            )
        return _refused(
            f"{_shown(rest)} begins with no application identifier (AI) of GS1; is the separator (FNC1, sent "
            "as GS) missing before it?"
        )
    value = element_string.removeprefix(ai.ai)
    reason = f"must be {ai.format.partition('+')[2]}: {ai.description}"
    if ai.ai in _DATES and _SIX_DIGITS.match(value):
        try:
            gs1_date(value[:6], today=_ANY_DAY)
        except ValueError as error:
            reason = str(error)
    return _refused(f"AI ({ai.ai}): {_shown(value)} {reason}", ai=ai.ai)


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


def _refused(reason: str, *, ai: str = "") -> InvalidInput:
    return InvalidInput(reason, field="code", **({"ai": ai} if ai else {}))

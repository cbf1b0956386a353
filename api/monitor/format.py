"""Numbers, amounts of money and lengths of time as people read them."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from flexiprice.plurals import counted

_MINUTE: Final = 60

_HOUR: Final = 3600

_DAY: Final = 86400


_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def count(number: int) -> str:
    """A number of things, in groups of three digits."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def things(number: int, noun: str, verb: str = "") -> str:
    """A number of things with their name and a verb that agree, as `counted` has them."""
    return counted(number, noun, verb).replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(fraction: float) -> str:
    """A fraction, to the whole percent; to a tenth where it is small."""
    return f"{fraction:.1%}" if 0 < fraction < 0.01 else f"{fraction:.0%}"


def size(octets: int) -> str:
    """A number of bytes; a dash for none."""
    if octets <= 0:
        return "–"
    power = min((len(str(octets)) - 1) // 3, len(_UNITS) - 1)
    value = octets / 1000**power
    return f"{value:.1f} {_UNITS[power]}" if power and value < 10 else f"{value:.0f} {_UNITS[power]}"


def rate(per_minute: float) -> str:
    """How often something happens: a second where it is often, else a minute."""
    if per_minute >= 60:
        return f"{per_minute / 60:.1f}/s" if per_minute < 600 else f"{per_minute / 60:.0f}/s"
    return f"{per_minute:.0f}/min"


def amount(value: Decimal) -> str:
    """An amount to the cent, in groups of three digits; whole where it is large."""
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def brief(value: Decimal) -> str:
    """An amount in as few characters as tell its size."""
    for step, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= step:
            return f"{value / step:.1f}{letter}" if abs(value) < 100 * step else f"{value / step:.0f}{letter}"
    return f"{value:.0f}"


def off(rate: Decimal) -> str:
    """A discount rate, as what is taken off."""
    return f"{rate:.0%}" if rate else "–"


def duration(length: timedelta | None) -> str:
    """How long something took, in at most two units; a dash where that is not known."""
    if length is None:
        return "–"
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"

"""Formats numbers, amounts of money and durations."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from flexiprice.domain.quantity import Unit
from flexiprice.plurals import counted

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def count(number: int) -> str:
    """Formats a number in groups of three digits."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def stock(quantity: Decimal, unit: Unit) -> str:
    """Formats a quantity in groups of three digits, with its unit unless that is `each`."""
    number = f"{quantity:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return number if unit is Unit.EACH else f"{number} {unit}"


def things(number: int, noun: str, verb: str = "") -> str:
    """Formats a number with a noun and a verb that agree with it, such as `3 jobs wait`."""
    return counted(number, noun, verb).replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(fraction: float) -> str:
    """Formats a fraction as a whole percentage; below 1 %, with one decimal."""
    return f"{fraction:.1%}" if 0 < fraction < 0.01 else f"{fraction:.0%}"


def size(octets: int) -> str:
    """Formats a number of bytes; a dash for zero."""
    if octets <= 0:
        return "–"
    power = min((len(str(octets)) - 1) // 3, len(_UNITS) - 1)
    value = octets / 1000**power
    return f"{value:.1f} {_UNITS[power]}" if power and value < 10 else f"{value:.0f} {_UNITS[power]}"


def rate(per_minute: float) -> str:
    """Formats a rate: per second from 60 per minute on, per minute below."""
    if per_minute >= 60:
        return f"{per_minute / 60:.1f}/s" if per_minute < 600 else f"{per_minute / 60:.0f}/s"
    return f"{per_minute:.0f}/min"


def amount(value: Decimal) -> str:
    """Formats an amount in groups of three digits: to the cent, from 10,000 on without cents."""
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def brief(value: Decimal) -> str:
    """Formats an amount in few characters, such as `1.2k`."""
    for step, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= step:
            return f"{value / step:.1f}{letter}" if abs(value) < 100 * step else f"{value / step:.0f}{letter}"
    return f"{value:.0f}"


def off(rate: Decimal) -> str:
    """Formats a discount rate as a percentage; a dash for none."""
    return f"{rate:.0%}" if rate else "–"


def duration(length: timedelta | None) -> str:
    """Formats a duration in at most two units; a dash for None."""
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

"""Numbers as people read them."""

from typing import Final

from flexiprice.plurals import counted

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

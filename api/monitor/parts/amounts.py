"""Amounts of money and discount rates, as people read them."""

from decimal import Decimal


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

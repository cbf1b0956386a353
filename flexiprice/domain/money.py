"""Decimal arithmetic on prices, and the one rounding rule. All results are exact."""

from decimal import Context, Decimal, Inexact, localcontext

CENT = Decimal("0.01")
MIN_PRICE = CENT
MAX_PRICE = Decimal("9999999999.99")
# Rates and fractions are kept to this step.
RATE_STEP = Decimal("0.0001")

# A caller's ambient context may be narrow. Here nothing may be lost unnoticed, so losing digits raises.
EXACT = Context(prec=60, traps=[Inexact])


def round_half_up(amount: Decimal, step: Decimal) -> Decimal:
    """Rounds a non-negative amount to the nearest multiple of `step`, whole cents, the middle going up."""
    with localcontext(EXACT):
        steps, remainder = divmod(amount, step)
        return ((steps + (2 * remainder >= step)) * step).quantize(CENT)


def round_up(amount: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step`, whole cents, that is not below a non-negative amount."""
    with localcontext(EXACT):
        steps, remainder = divmod(amount, step)
        return ((steps + (remainder > 0)) * step).quantize(CENT)


def effective_rate(price: Decimal, base_price: Decimal) -> Decimal:
    """The discount rate that a price really gives: 1 - price / base price, half-up to 4 decimals."""
    with localcontext(EXACT):
        saved = base_price - price
        # The quotient itself may have no end, so the rounding is done on its exact remainder.
        steps, remainder = divmod(saved, base_price * RATE_STEP)
        return (steps + (2 * remainder >= base_price * RATE_STEP)) * RATE_STEP

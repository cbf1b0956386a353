"""Decimal arithmetic on prices, and the one rounding rule. All results are exact."""

from decimal import Context, Decimal, Inexact, localcontext

CENT = Decimal("0.01")
MIN_PRICE = CENT
MAX_PRICE = Decimal("9999999999.99")
# The precision of rates and fractions.
RATE_STEP = Decimal("0.0001")

# A caller's decimal context may be narrow. Losing digits raises here, so no result is silently inexact.
EXACT = Context(prec=60, traps=[Inexact])


def round_half_up(amount: Decimal, step: Decimal) -> Decimal:
    """Rounds a non-negative amount half-up to the nearest multiple of `step`, in whole cents."""
    with localcontext(EXACT):
        steps, remainder = divmod(amount, step)
        return ((steps + (2 * remainder >= step)) * step).quantize(CENT)


def round_up(amount: Decimal, step: Decimal) -> Decimal:
    """Rounds a non-negative amount up to a multiple of `step`, in whole cents."""
    with localcontext(EXACT):
        steps, remainder = divmod(amount, step)
        return ((steps + (remainder > 0)) * step).quantize(CENT)


def effective_rate(price: Decimal, base_price: Decimal) -> Decimal:
    """Returns the effective discount rate of a price: 1 - price / base price, half-up to 4 decimals."""
    with localcontext(EXACT):
        saved = base_price - price
        # The quotient may have infinitely many digits, so round by its exact remainder.
        steps, remainder = divmod(saved, base_price * RATE_STEP)
        return (steps + (2 * remainder >= base_price * RATE_STEP)) * RATE_STEP

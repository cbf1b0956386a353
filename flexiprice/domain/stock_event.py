"""Events of stock: sales, waste, counts and deliveries; how a sale is allocated to batches.

Quantities are whole thousandths of the product's unit. A sale lowers the batch that it names. Without a lot,
a reduced price names the batch. Otherwise customers are assumed: a share of them takes the batch that expires
first (FEFO), the others the one that expires last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from flexiprice.domain.quantity import THOUSANDTHS

FEFO_SHARE: Final = Fraction(1, 2)
"""Share of customers who take the batch that expires first."""
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""An event may be so far in the future, because clocks of tills differ."""
DRAWS: Final = 1 << 32
"""The number of values of a draw."""


class EventKind(StrEnum):
    """The kind of an event."""

    SALE = "sale"
    WASTE = "waste"
    COUNT = "count"
    DELIVERY = "delivery"


class AllocationGround(StrEnum):
    """The reason for which an event was allocated to a batch.

    `scanned`: lot or expiry date name it. `price`: only this batch had the reduced price that was paid.
    `assumed`: neither, so the share of customers decides.
    """

    SCANNED = "scanned"
    PRICE = "price"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A batch to which an event may be allocated.

    Attributes:
        batch_id: id of the batch.
        expiry_date: the last day of sale.
        balance: thousandths in stock; negative if more was sold than was known.
        reduced_price: the price of the discount in force when the event occurred; None without a discount.
    """

    batch_id: int
    expiry_date: date
    balance: int
    reduced_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an event that is allocated to one batch, in thousandths."""

    batch_id: int
    quantity: int
    ground: AllocationGround


def moves_stock(occurred_at: datetime, stated_at: datetime) -> bool:
    """Whether an event changes stock that was stated at an instant: only if it occurred after it.

    An earlier event is in the stated stock already, whichever of the two arrives first.
    """
    return occurred_at > stated_at


def allocate_sale(
    quantity: int,
    candidates: Iterable[Candidate],
    *,
    unit_price: Decimal | None,
    draw: int,
    fefo_share: Fraction = FEFO_SHARE,
) -> tuple[Share, ...]:
    """Allocates a sale without a lot; units beyond the stock of all candidates are allocated to none.

    Args:
        quantity: thousandths sold; a return is negative, and goes to one batch.
        candidates: the batches on sale when it occurred.
        unit_price: the price that was paid; None if unknown.
        draw: a number from 0 to below `DRAWS`, the same whenever the sale is read; it decides about a unit
            that cannot be split.
        fefo_share: share of customers who take the batch that expires first.
    """
    ordered = sorted(candidates, key=lambda batch: (batch.expiry_date, batch.batch_id))
    ground = AllocationGround.ASSUMED
    if unit_price is not None:
        same = [batch for batch in ordered if batch.reduced_price == unit_price]
        if len(same) == 1:
            ground = AllocationGround.PRICE
        # A full price was paid for a batch that was not reduced, if there was one.
        ordered = same or [batch for batch in ordered if batch.reduced_price is None] or ordered
    if not ordered:
        return ()
    if ground is AllocationGround.PRICE:
        return (Share(ordered[0].batch_id, quantity, ground),)
    first = _fefo_part(abs(quantity), draw, fefo_share)
    if quantity < 0:
        taken_from = ordered[0] if 2 * first >= abs(quantity) else ordered[-1]
        return (Share(taken_from.batch_id, quantity, ground),)
    left = {batch.batch_id: max(batch.balance, 0) for batch in ordered}
    taken = dict.fromkeys(left, 0)
    over = _take(first, [batch.batch_id for batch in ordered], left, taken)
    _take(quantity - first + over, [batch.batch_id for batch in reversed(ordered)], left, taken)
    return tuple(Share(batch_id, part, ground) for batch_id, part in taken.items() if part)


def allocate_waste(quantity: int, candidates: Iterable[Candidate]) -> tuple[Share, ...]:
    """Allocates waste without a lot to the batches that expire first; units beyond the stock to none."""
    ordered = sorted(candidates, key=lambda batch: (batch.expiry_date, batch.batch_id))
    left = {batch.batch_id: max(batch.balance, 0) for batch in ordered}
    taken = dict.fromkeys(left, 0)
    _take(quantity, list(left), left, taken)
    return tuple(Share(batch_id, part, AllocationGround.ASSUMED) for batch_id, part in taken.items() if part)


def _fefo_part(quantity: int, draw: int, share: Fraction) -> int:
    # Whole units are split into whole units; the draw rounds, so that the share holds over many sales.
    step = THOUSANDTHS if quantity % THOUSANDTHS == 0 else 1
    whole, rest = divmod(Fraction(quantity, step) * share, 1)
    return (int(whole) + (rest * DRAWS > draw)) * step


def _take(quantity: int, batch_ids: Sequence[int], left: dict[int, int], taken: dict[int, int]) -> int:
    for batch_id in batch_ids:
        part = min(quantity, left[batch_id])
        left[batch_id] -= part
        taken[batch_id] += part
        quantity -= part
        if not quantity:
            break
    return quantity

"""The prior price of a reduction: the lowest price of the 30 days before it began.

This is the general rule of Directive 98/6/EC, article 6a(1) and (2). A reduction is that of one batch, and
prices count product by product and store by store: the base price, and the reduced price of every batch. A
reduction that only grows is one reduction and keeps its first prior price, as article 6a(5) allows. It begins
anew where the reduced price rises. Member states may choose otherwise (perishable goods, goods new on the
market); no national option is applied here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

PRIOR_PRICE_WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A price, in force from `valid_from` until just before `valid_to`; None means until further notice."""

    price: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedPrice:
    """One line of a batch's ledger.

    Attributes:
        decided_at: when it took effect.
        price: the reduced price from then on; None where the discount closed.
        previous_price: the price until then: the reduced one, or the base price where the discount opened.
        opened: whether the discount opened.
        expired_at: the end of the batch's last day of sale, or when it was deleted; None where neither comes.
    """

    decided_at: datetime
    price: Decimal | None
    previous_price: Decimal
    opened: bool
    expired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reduction:
    """A price reduction that stands.

    Attributes:
        began_at: since when the price of the batch has not risen.
        prior_price: the lowest price of the product in the store in the 30 days before `began_at`; of the
            time that is known, where the product is newer than 30 days.
    """

    began_at: datetime
    prior_price: Decimal


def lowest_price(periods: Iterable[PricePeriod], *, start: datetime, end: datetime) -> Decimal | None:
    """The lowest price in force at any moment from `start` until just before `end`; None where none is."""
    return min(
        (period.price for period in periods if period.valid_from < end and not _over(period, start)),
        default=None,
    )


def lowest_over_time(periods: Iterable[PricePeriod], *, start: datetime, end: datetime) -> list[PricePeriod]:
    """The lowest price from `start` until `end`, step by step; times of which none is known are left out."""
    known = sorted(
        (period for period in periods if period.valid_from < end and not _over(period, start)),
        key=lambda period: period.valid_from,
    )
    moments = {max(period.valid_from, start) for period in known}
    moments |= {period.valid_to for period in known if period.valid_to is not None and period.valid_to < end}
    in_force: list[tuple[Decimal, int]] = []
    steps: list[PricePeriod] = []
    entered = 0
    ends = sorted(moments)
    for moment, ended_at in zip(ends, [*ends[1:], end], strict=False):
        while entered < len(known) and known[entered].valid_from <= moment:
            heappush(in_force, (known[entered].price, entered))
            entered += 1
        while in_force and _over(known[in_force[0][1]], moment):
            heappop(in_force)
        if not in_force:
            continue
        price = in_force[0][0]
        if steps and (steps[-1].price, steps[-1].valid_to) == (price, moment):
            steps[-1] = PricePeriod(price, steps[-1].valid_from, ended_at)
        else:
            steps.append(PricePeriod(price, moment, ended_at))
    return steps


def _over(period: PricePeriod, moment: datetime) -> bool:
    return period.valid_to is not None and period.valid_to <= moment


def reduced_periods(lines: Sequence[ReducedPrice]) -> list[PricePeriod]:
    """When which reduced price of a batch was in force, by its ledger lines in their order."""
    ends = [*(line.decided_at for line in lines[1:]), None]
    periods: list[PricePeriod] = []
    for line, ended_at in zip(lines, ends, strict=True):
        if line.price is None:
            continue
        limits = [limit for limit in (ended_at, line.expired_at) if limit is not None]
        valid_to = min(limits, default=None)
        if valid_to is None or valid_to > line.decided_at:
            periods.append(PricePeriod(line.price, line.decided_at, valid_to))
    return periods


def find_reduction(lines: Sequence[ReducedPrice], periods: Iterable[PricePeriod]) -> Reduction | None:
    """The reduction of a batch that stands after its last ledger line; None where its discount is closed.

    Args:
        lines: of the batch, in their order, from the opening of its discount at the latest.
        periods: every price of the product in the store since 30 days before the first of `lines`: base
            prices and the reduced prices of all batches.
    """
    if not lines or lines[-1].price is None:
        return None
    began = lines[0]
    for line in lines:
        if line.opened or (line.price is not None and line.price > line.previous_price):
            began = line
    before = lowest_price(periods, start=began.decided_at - PRIOR_PRICE_WINDOW, end=began.decided_at)
    # The ledger knows the price until that moment too, even of a time when no history was kept.
    prior = began.previous_price if before is None else min(before, began.previous_price)
    return Reduction(began.decided_at, prior)

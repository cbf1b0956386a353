"""The prior price of a reduction: the lowest price of the 30 days before it began.

This is the general rule of Directive 98/6/EC, article 6a(1) and (2). A reduction belongs to one batch. The
prices of its product in its store count: the base price, and the reduced price of every batch. A reduction
that only grows is one reduction and keeps its first prior price, as article 6a(5) allows. A new reduction
begins where the reduced price rises. No national option (perishable goods, goods new on the market) is
applied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

PRIOR_PRICE_WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A price, in force from `valid_from` until just before `valid_to`; None is an open end."""

    price: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedPrice:
    """A line of a batch's ledger.

    Attributes:
        decided_at: the instant at which it took effect.
        price: the reduced price after it; None where the discount closed.
        previous_price: the price before it: the reduced one, or the base price where the discount opened.
        opened: whether the discount opened.
        expired_at: the end of the batch's last day of sale, or its deletion; None without either.
    """

    decided_at: datetime
    price: Decimal | None
    previous_price: Decimal
    opened: bool
    expired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reduction:
    """A price reduction in force.

    Attributes:
        began_at: the instant since which the price of the batch has not risen.
        prior_price: the lowest price of the product in the store in the 30 days before `began_at`, or in
            the known part of them if the product is newer.
    """

    began_at: datetime
    prior_price: Decimal


def lowest_price(periods: Iterable[PricePeriod], *, start: datetime, end: datetime) -> Decimal | None:
    """Returns the lowest price in force from `start` until just before `end`; None without any."""
    return min(
        (period.price for period in periods if period.valid_from < end and not _has_ended(period, start)),
        default=None,
    )


def lowest_over_time(periods: Iterable[PricePeriod], *, start: datetime, end: datetime) -> list[PricePeriod]:
    """Returns the lowest price from `start` until `end`, step by step, without times of no known price."""
    known = sorted(
        (period for period in periods if period.valid_from < end and not _has_ended(period, start)),
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
        while in_force and _has_ended(known[in_force[0][1]], moment):
            heappop(in_force)
        if not in_force:
            continue
        price = in_force[0][0]
        if steps and (steps[-1].price, steps[-1].valid_to) == (price, moment):
            steps[-1] = PricePeriod(price, steps[-1].valid_from, ended_at)
        else:
            steps.append(PricePeriod(price, moment, ended_at))
    return steps


def overlaid(own: Sequence[PricePeriod], default: Sequence[PricePeriod]) -> tuple[PricePeriod, ...]:
    """Returns `own`, and the parts of `default` that lie outside of it, the oldest first.

    Both are in order and each without overlaps. Adjacent periods of one price become one.
    """
    starts = [datetime.min.replace(tzinfo=UTC), *(period.valid_to for period in own)]
    ends = [*(period.valid_from for period in own), None]
    parts = [
        part
        for start, end in zip(starts, ends, strict=True)
        if start is not None
        for period in default
        if (part := _within(period, start, end)) is not None
    ]
    joined: list[PricePeriod] = []
    for part in sorted([*own, *parts], key=lambda part: part.valid_from):
        if joined and (joined[-1].price, joined[-1].valid_to) == (part.price, part.valid_from):
            joined[-1] = PricePeriod(part.price, joined[-1].valid_from, part.valid_to)
        else:
            joined.append(part)
    return tuple(joined)


def _within(period: PricePeriod, start: datetime, end: datetime | None) -> PricePeriod | None:
    ends = [limit for limit in (period.valid_to, end) if limit is not None]
    begins, ended = max(period.valid_from, start), min(ends, default=None)
    return PricePeriod(period.price, begins, ended) if ended is None or ended > begins else None


def _has_ended(period: PricePeriod, moment: datetime) -> bool:
    return period.valid_to is not None and period.valid_to <= moment


def reduced_periods(lines: Sequence[ReducedPrice]) -> list[PricePeriod]:
    """Returns the periods of a batch's reduced prices, from its ledger lines in order."""
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
    """Returns a batch's reduction after its last ledger line; None where its discount is closed.

    Args:
        lines: of the batch, in order; they start no later than the opening of its discount.
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
    # The ledger also has the price before that instant, even where the history has not.
    prior = began.previous_price if before is None else min(before, began.previous_price)
    return Reduction(began.decided_at, prior)

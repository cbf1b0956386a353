"""The batches that a chunk of events may move, in memory while they are locked."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from flexiprice.catalog.imports.problems import BadRow, CellProblem
from flexiprice.catalog.stock import StockLevel
from flexiprice.domain.expiry import NO_DATE, NO_EXPIRY, expiry_words
from flexiprice.domain.stock_event import (
    AllocationGround,
    Candidate,
    EventKind,
    Share,
    allocate_sale,
    allocate_waste,
    moves_stock,
)
from flexiprice.events.event_row import EventRow, draw_of
from flexiprice.plurals import counted

_LISTED: Final = 5
PriceSteps = Mapping[int, tuple[Sequence[datetime], Sequence[Decimal | None]]]
"""The instants at which the discount of a batch changed, with its price from each on; None when it closed."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of a batch's stock by an event, in thousandths."""

    row: EventRow
    batch_id: int
    quantity: int
    ground: AllocationGround


class Shelf:
    """Applies events to the levels of batches.

    Attributes:
        movements: of all applied events.
        touched: levels that were moved or stated.
        already_counted: events that did not move stock, because it was stated later.
        beyond_stock: events with units beyond the stock.
    """

    def __init__(self, levels: Iterable[StockLevel]) -> None:
        self._by_id = {level.batch_id: level for level in levels}
        self._by_product: dict[tuple[int, int], list[StockLevel]] = defaultdict(list)
        for level in self._by_id.values():
            self._by_product[level.store_id, level.product_id].append(level)
        self.movements: list[Movement] = []
        self.touched: dict[int, StockLevel] = {}
        self.already_counted = 0
        self.beyond_stock = 0

    def named_batch(self, row: EventRow) -> int | BadRow | None:
        """Returns the batch that an event names; None if it names none and needs none."""
        found = self._levels_of(row)
        is_delivery = row.kind is EventKind.DELIVERY
        if row.lot is not None:
            found = [level for level in found if level.lot == row.lot]
        elif row.expiry_date is not None:
            by_date = [level for level in found if level.expiry_date == row.expiry_date]
            found = [level for level in by_date if not level.lot] if is_delivery else by_date
        elif row.kind is EventKind.COUNT:
            found = [level for level in found if level.expiry_date >= row.day]
        else:
            return None
        if len(found) != 1:
            return BadRow(row.line, (CellProblem(None, _not_one(row, found)),))
        # Sales keep the date that is printed on the package, whatever it was corrected to.
        if is_delivery and row.expiry_date not in {None, found[0].expiry_date}:
            return BadRow(row.line, (CellProblem(None, _other_date(row, found[0])),))
        return found[0].batch_id

    def candidates_of(self, row: EventRow) -> list[StockLevel]:
        """Returns the batches on sale when a sale occurred."""
        return [level for level in self._levels_of(row) if level.expiry_date >= row.day]

    def apply(self, row: EventRow, batch_id: int | None, prices: PriceSteps) -> None:
        """Allocates an event other than a count, and moves the stock that was stated before it."""
        sign = 1 if row.kind is EventKind.DELIVERY else -1
        shares = self._shares(row, batch_id, prices)
        moved_all, beyond = True, sum(share.quantity for share in shares) != row.quantity
        for share in shares:
            self.movements.append(Movement(row, share.batch_id, sign * share.quantity, share.ground))
            level = self._by_id[share.batch_id]
            if moves_stock(row.occurred_at, level.stated_at):
                level.balance += sign * share.quantity
                self.touched[level.batch_id] = level
                beyond = beyond or (level.balance < 0 and row.kind is not EventKind.DELIVERY)
            else:
                moved_all = False
        self.already_counted += not moved_all
        self.beyond_stock += beyond

    def count(self, row: EventRow, batch_id: int, moved_since: int) -> None:
        """States the stock of a batch at the instant of a count, unless it was stated later.

        Args:
            row: the count.
            batch_id: the batch that was counted.
            moved_since: the sum of recorded movements after the count.
        """
        level = self._by_id[batch_id]
        if row.occurred_at < level.stated_at:
            self.already_counted += 1
            return
        level.balance, level.stated_at = row.quantity + moved_since, row.occurred_at
        self.touched[batch_id] = level

    def _levels_of(self, row: EventRow) -> list[StockLevel]:
        return self._by_product.get((row.key.store_id, row.product_id), [])

    def _shares(self, row: EventRow, batch_id: int | None, prices: PriceSteps) -> tuple[Share, ...]:
        if batch_id is not None:
            return (Share(batch_id, row.quantity, AllocationGround.SCANNED),)
        if row.kind is EventKind.WASTE:
            wasted = self._levels_of(row)
            return allocate_waste(row.quantity, [_candidate(level, row, {}) for level in wasted])
        candidates = [_candidate(level, row, prices) for level in self.candidates_of(row)]
        return allocate_sale(row.quantity, candidates, unit_price=row.unit_price, draw=draw_of(row.key))


def _candidate(level: StockLevel, row: EventRow, prices: PriceSteps) -> Candidate:
    instants, values = prices.get(level.batch_id, ((), ()))
    place = bisect_right(instants, row.occurred_at)
    return Candidate(level.batch_id, level.expiry_date, level.balance, values[place - 1] if place else None)


def _not_one(row: EventRow, found: Sequence[StockLevel]) -> str:
    named = [f"lot {row.lot!r}"] if row.lot is not None else []
    named += [f"expiry date {row.expiry_date}"] if row.expiry_date is not None else []
    wanted = f" with {' and '.join(named)}" if named else ""
    product = repr(row.sku or row.gtin)
    if not found:
        kind = "open batch" if not named else "batch"
        return (
            f"store {row.store!r} has no {kind} of {product}{wanted}: import the batch or record its "
            "delivery, then send this again"
        )
    listed = ", ".join(_shown(level.lot, level.expiry_date) for level in found[:_LISTED])
    more = ", …" if len(found) > _LISTED else ""
    return (
        f"store {row.store!r} has {counted(len(found), 'batch')} of {product}{wanted} ({listed}{more}): "
        "name the lot, or the expiry date of a batch without one"
    )


def _other_date(row: EventRow, level: StockLevel) -> str:
    return (
        f"store {row.store!r} has the lot {row.lot!r} of {row.sku or row.gtin!r} with the expiry date "
        f"{expiry_words(level.expiry_date)}, not {row.expiry_date}: correct batch {level.batch_id} or this "
        "date, then send this again"
    )


def _shown(lot: str, day: date) -> str:
    return f"lot {lot or 'none'}, {NO_DATE}" if day == NO_EXPIRY else f"lot {lot or 'none'} of {day}"

"""Records scans: each finds the batch that its code means, or makes it, and changes its stock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batches import BatchChanges, BatchRecord, change_batch, create_batch
from flexiprice.catalog.gs1 import Scan, parse_scan
from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.product_gtins import require_product
from flexiprice.catalog.stores import require_store_id
from flexiprice.db.tables import Batch
from flexiprice.domain.expiry import NO_DATE, NO_EXPIRY, expiry_or_none
from flexiprice.domain.quantity import (
    MAX_QUANTITY,
    Quantity,
    Unit,
    format_quantity,
    require_countable,
)
from flexiprice.errors import Conflict, InvalidInput

_LISTED: Final = 10
_QUANTITY: Final = TypeAdapter[Decimal](Quantity)
# The end of a lot that may be a date, where the scanner sent no separator.
_SWALLOWED_DATE: Final = re.compile(r"1[57][0-9]{2}[01][0-9][0-3][0-9]$")


class ScanMode(StrEnum):
    """The change of stock that a scan makes."""

    ADD = "add"
    """A delivery: the quantity is added."""
    SET = "set"
    """A count: the quantity is the stock."""


@dataclass(frozen=True, slots=True)
class RecordedScan:
    """A scan and its batch after the change.

    Attributes:
        scan: the data of the code.
        batch: the batch after the change.
        created: whether the scan made it.
        quantity_before: its stock before; 0 if it was created.
        expiry_date_before: its expiry date before the scan corrected it; None if it stayed, or was none.
    """

    scan: Scan
    batch: BatchRecord
    created: bool
    quantity_before: Decimal
    expiry_date_before: date | None = None


async def record_scan(
    session: AsyncSession,
    code: str,
    *,
    store: str,
    quantity: Decimal | None,
    mode: ScanMode,
    now: datetime,
) -> RecordedScan:
    """Changes the stock of the batch that a code means; makes the batch if the code has a date.

    A code with a lot means the batch with that lot; if it has another date, too, that of the batch is
    corrected. A code with a date and no lot means the batch without a lot. A code with neither means the
    product's only batch that is in stock and not expired.

    Args:
        session: in a transaction.
        code: the text that the scanner sent, see `parse_scan`.
        store: code of the store.
        quantity: in the product's unit; None adds the count in the code, or 1, of a product in `each`, and
            the weight in the code of a product in `kg`.
        mode: whether it is added, or is the stock.
        now: the instant of the scan.

    Raises:
        InvalidInput: the code cannot be read, the quantity is missing, or it is a fraction of a product in
            `each`.
        NotFound: the store does not exist, or no product has the GTIN.
        Conflict: no batch or several are meant, or the stock would exceed the maximum.
    """
    if mode is ScanMode.SET and quantity is None:
        raise InvalidInput("a count needs a quantity", field="quantity")
    scan = parse_scan(code, today=now.date())
    store_id = await require_store_id(session, store)
    product_id, sku, unit = await require_product(session, scan.gtin)
    given = _quantity_in(scan, sku, unit) if quantity is None else quantity
    require_countable(given, unit, field="quantity")
    search = _Search(store, store_id, sku, product_id, scan, now)
    found = await search.find(session)
    if found is None:
        try:
            batch = await search.create(session, given)
        except Conflict:
            # Another scan made it in between.
            found = await search.find(session)
        else:
            return RecordedScan(scan, batch, created=True, quantity_before=Decimal(0))
    if found is None:
        raise Conflict("the batch was deleted while it was scanned; scan again", field="code")
    batch_id, before, day = found
    after = before + given if mode is ScanMode.ADD else given
    if after > MAX_QUANTITY:
        raise Conflict(
            f"there are {format_quantity(before, unit)} in stock: {given} more exceed {MAX_QUANTITY}",
            field="quantity",
        )
    changes: BatchChanges = {"quantity_delta": given} if mode is ScanMode.ADD else {"quantity": given}
    is_corrected = scan.expiry_date not in {None, day}
    if is_corrected and scan.expiry_date is not None:
        changes["expiry_date"] = scan.expiry_date
    batch = await change_batch(session, batch_id, changes, now=now)
    return RecordedScan(
        scan,
        batch,
        created=False,
        quantity_before=before,
        expiry_date_before=expiry_or_none(day) if is_corrected else None,
    )


def _quantity_in(scan: Scan, sku: str, unit: Unit) -> Decimal:
    """Returns the quantity that a code has, in the unit of its product."""
    if unit is Unit.EACH:
        return Decimal(scan.count or 1)
    if unit is Unit.KG and scan.weight is not None:
        try:
            return _QUANTITY.validate_python(scan.weight)
        except ValidationError:
            reason = f"the code's weight of {scan.weight} kg has more than 3 decimals"
            raise InvalidInput(f"{reason}: give the quantity", field="quantity") from None
    raise InvalidInput(
        f"{sku!r} is counted in {unit}, and the code has no such quantity: give the quantity",
        field="quantity",
    )


_Found = tuple[int, Decimal, str, date]


@dataclass(frozen=True, slots=True)
class _Search:
    """A search for the batch that a scan means."""

    store: str
    store_id: int
    sku: str
    product_id: int
    scan: Scan
    now: datetime

    async def find(self, session: AsyncSession) -> tuple[int, Decimal, date] | None:
        """Returns id, stock and date of the batch, locked; None if there is none and the code has a date.

        Raises:
            Conflict: several batches are meant, or none, and the code has no date for a new one.
        """
        stores = local_dates(self.now)
        query = (
            select(Batch.id, Batch.quantity, Batch.lot, Batch.expiry_date)
            .join(stores, stores.c.store_id == Batch.store_id)
            .where(Batch.store_id == self.store_id, Batch.product_id == self.product_id)
            .order_by(Batch.expiry_date, Batch.lot)
            .limit(_LISTED + 1)
            .with_for_update(of=Batch, key_share=True)
        )
        lot, day = self.scan.lot, self.scan.expiry_date
        if lot is not None:
            query = query.where(Batch.lot == lot)
        elif day is not None:
            query = query.where(Batch.lot == "", Batch.expiry_date == day)
        else:
            query = query.where(Batch.quantity > 0, Batch.expiry_date >= stores.c.day)
        rows = (await session.execute(query)).all()
        if len(rows) == 1:
            batch_id, quantity, _, known_day = rows[0]
            return batch_id, quantity, known_day
        if rows:
            raise self._ambiguous(rows)
        if day is None:
            raise self._none()
        return None

    async def create(self, session: AsyncSession, quantity: Decimal) -> BatchRecord:
        """Makes the batch of the code's lot and date.

        Raises:
            Conflict: another transaction made it in between.
        """
        if self.scan.expiry_date is None:
            raise self._none()
        return await create_batch(
            session,
            store=self.store,
            sku=self.sku,
            lot=self.scan.lot or "",
            expiry_date=self.scan.expiry_date,
            quantity=quantity,
            now=self.now,
        )

    def _none(self) -> Conflict:
        needs = "a new one needs a date, of AI (17) or (15)"
        if self.scan.lot is None:
            reason = f"the code has no lot and no date, and {self.store!r} has no open batch of {self.sku!r}"
            return Conflict(f"{reason}; {needs}", field="code")
        hint = ""
        if _SWALLOWED_DATE.search(self.scan.lot):
            hint = "; if the date is at the end of the lot, let the scanner send the separator (FNC1) as GS"
        reason = f"store {self.store!r} has no batch of {self.sku!r} with the lot {self.scan.lot!r}"
        return Conflict(f"{reason}; {needs}{hint}", field="code")

    def _ambiguous(self, rows: Sequence[Row[*_Found]]) -> Conflict:
        listed = [
            f"batch {batch_id} (lot {lot or 'none'}, {_expires(day)}, {quantity} in stock)"
            for batch_id, quantity, lot, day in rows[:_LISTED]
        ]
        more = " and more" if len(rows) > _LISTED else ""
        return Conflict(
            f"the code fits several batches of {self.sku!r} in {self.store!r}: {', '.join(listed)}{more}; "
            "scan a code with lot and date, or change the batch by its id",
            field="code",
        )


def _expires(day: date) -> str:
    return NO_DATE if day == NO_EXPIRY else f"expires {day}"

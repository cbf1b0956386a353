"""Tables of prices: a batch's base price, its current price and the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from flexiprice.catalog.batch_identity import BatchIdentity
from flexiprice.cli.console import percent
from flexiprice.cli.fitted_table import FittedColumn, fitted_table
from flexiprice.domain.expiry import expiry_words
from flexiprice.domain.quantity import format_quantity
from flexiprice.domain.quote import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """A batch with its price; in a preview, `sign` is what would happen to its discount."""

    batch: BatchIdentity
    was: Decimal | None
    now: Decimal | None
    rate: Decimal | None
    why: str
    sign: Text = field(default_factory=Text)


def price_table(rows: Sequence[PriceRow], *, width: int, title: str) -> Table:
    """Returns a table of prices that fits the terminal, one line a batch."""
    several_stores = len({row.batch.store for row in rows}) > 1
    columns = (
        FittedColumn(heading=""),
        FittedColumn(
            heading="store", shortest=6, readable=8, spare=True, dropped=None if several_stores else 1
        ),
        FittedColumn(heading="sku", shortest=13, readable=13),
        FittedColumn(heading="product", shortest=12, readable=24),
        FittedColumn(heading="lot", shortest=6, readable=8, spare=True, dropped=3),
        # Dropped first: the column of days has the same information.
        FittedColumn(heading="expires", spare=True, dropped=2),
        FittedColumn(heading="days", number=True),
        FittedColumn(heading="stock", number=True, dropped=4),
        FittedColumn(heading="was", number=True, dropped=6),
        FittedColumn(heading="now", number=True, style="bold green"),
        FittedColumn(heading="off", number=True),
        FittedColumn(heading="why", shortest=10, readable=20, dropped=5),
    )
    return fitted_table(columns, [_cells(row) for row in rows], width=width, title=title)


def amount(value: Decimal | None) -> str:
    """Formats an amount of money with its thousands grouped; None becomes empty."""
    return "" if value is None else f"{value:,.2f}"


def reasons(rule: str | None, limits: Sequence[Limit | str]) -> str:
    """Joins the rule that made a price and the limits that applied."""
    return ", ".join(part for part in (rule, *(str(limit).replace("_", " ") for limit in limits)) if part)


def _cells(row: PriceRow) -> tuple[str | Text, ...]:
    batch = row.batch
    return (
        row.sign,
        batch.store,
        batch.sku,
        batch.product,
        batch.lot,
        expiry_words(batch.expiry_date),
        "" if batch.days_to_expiry is None else str(batch.days_to_expiry),
        format_quantity(batch.quantity, batch.unit),
        amount(row.was),
        amount(row.now),
        percent(row.rate),
        row.why,
    )

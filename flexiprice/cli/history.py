"""`flexiprice history`: what a product has cost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.connections import command_settings, in_transaction
from flexiprice.cli.console import JsonOption, instant, new_table, output, plain, print_json
from flexiprice.cli.price_chart import draw_steps
from flexiprice.db.database_clock import database_now
from flexiprice.db.tables import MAIN_STORE
from flexiprice.services.price_history import PriceHistory, PricePoint, get_price_history

_WIDEST = 120


def history(
    *,
    sku: Annotated[str, typer.Argument(help="SKU of the product.", metavar="SKU")],
    store: Annotated[str, typer.Option(help="Code of the store.", metavar="CODE")] = MAIN_STORE,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far to look back.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Show what a product's lowest price in a store was over time, as a chart and a table of its changes.

    Prices are recorded every six hours. The lowest price of the last 30 days is what a price reduction
    must be announced against in the European Union.
    """
    settings = command_settings()

    async def use(session: AsyncSession) -> tuple[datetime, PriceHistory]:
        now = await database_now(session)
        start = (now - timedelta(days=days)).date()
        return now, await get_price_history(session, sku=sku, store=store, now=now, start=start)

    now, found = in_transaction(settings, use)
    if as_json:
        print_json(found)
    else:
        _show(found, now=now, days=days, currency=settings.currency)


def _show(found: PriceHistory, *, now: datetime, days: int, currency: str) -> None:
    console = output()
    console.print(f"[bold]{plain(found.sku)}[/] in store {plain(found.store)}, prices in {currency}")
    if found.snapshots:
        points = _steps(found.snapshots, since=now - timedelta(days=days))
        console.print(draw_steps(points, until=now, width=min(console.width, _WIDEST)), markup=False)
        table = new_table("from", "price", "base price", numbers=("price", "base price"))
        before = None
        for point in found.snapshots:
            if before is None or (point.price, point.base_price) != (before.price, before.base_price):
                table.add_row(instant(point.slot_at), f"{point.price:,.2f}", f"{point.base_price:,.2f}")
            before = point
        console.print(table)
    else:
        console.print(f"No reduced price was recorded in the last {days} days.")
    console.print(f"Lowest price of the last 30 days: [bold]{found.lowest_30_days:,.2f}[/]")


def _steps(snapshots: Sequence[PricePoint], *, since: datetime) -> list[tuple[datetime, Decimal]]:
    # The first may be from long before: what was in force when the time looked at began. Before the very
    # first, the base price was.
    steps = [(max(point.slot_at, since), point.price) for point in snapshots]
    if steps[0][0] > since:
        steps.insert(0, (since, snapshots[0].base_price))
    return steps

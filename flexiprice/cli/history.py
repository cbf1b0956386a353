"""`flexiprice history`: what a product has cost."""

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
from flexiprice.services.price_history import PriceHistory, get_price_history

_WIDEST = 120


def history(
    *,
    sku: Annotated[str, typer.Argument(help="SKU of the product.", metavar="SKU")],
    store: Annotated[str, typer.Option(help="Code of the store.", metavar="CODE")] = MAIN_STORE,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far to look back.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Show what a product's lowest price in a store was over time, as a chart and a table of its changes.

    Reduced prices are recorded every six hours, base prices as they change. The prior price is the lowest of
    the 30 days before a reduction began: what it must be announced against in the European Union.
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
    points = known_steps(found, since=now - timedelta(days=days))
    if points:
        prices = [(moment, price) for moment, price, _ in points]
        console.print(draw_steps(prices, until=now, width=min(console.width, _WIDEST)), markup=False)
        table = new_table("from", "price", "base price", numbers=("price", "base price"))
        for moment, price, base_price in points:
            table.add_row(instant(moment), f"{price:,.2f}", f"{base_price:,.2f}")
        console.print(table)
    if not found.snapshots:
        console.print(f"No reduced price was recorded in the last {days} days.")
    console.print(f"Lowest price of the last 30 days: [bold]{found.lowest_30_days:,.2f}[/]")
    if found.reduction is not None:
        console.print(
            f"Reduced since {instant(found.reduction.began_at)}; prior price, the lowest of the 30 days "
            f"before: [bold]{found.reduction.prior_price:,.2f}[/]"
        )


def known_steps(found: PriceHistory, *, since: datetime) -> list[tuple[datetime, Decimal, Decimal]]:
    """From when which price and which base price were in force; what is not known is left out.

    Args:
        found: with the snapshots and base prices since then.
        since: where the first step begins at the earliest.
    """
    recorded = [(point.slot_at, point) for point in found.snapshots]
    moments = {max(moment, since) for moment, _ in recorded}
    moments |= {max(period.valid_from, since) for period in found.base_prices}
    steps: list[tuple[datetime, Decimal, Decimal]] = []
    for moment in sorted(moments):
        reduced = next((point for slot_at, point in reversed(recorded) if slot_at <= moment), None)
        base = next((each.price for each in reversed(found.base_prices) if each.valid_from <= moment), None)
        if base is None and reduced is not None:
            base = reduced.base_price
        if base is None:
            continue
        # After a snapshot at base price, and before the first, the base price is in force.
        price = reduced.price if reduced is not None and reduced.price < reduced.base_price else base
        if not steps or steps[-1][1:] != (price, base):
            steps.append((moment, price, base))
    return steps

"""`flexiprice history`: shows the price history of a product."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.json_words import record_in_api_words
from flexiprice.cli.pricing.price_chart import draw_steps
from flexiprice.db.clock import database_now
from flexiprice.db.tables import MAIN_STORE
from flexiprice.plurals import counted
from flexiprice.pricing.price_history import PriceHistory, get_price_history

_WIDEST = 120


def history(
    *,
    sku: Annotated[str, typer.Argument(help="SKU of the product.", metavar="SKU")],
    store: Annotated[str, typer.Option(help="Code of the store.", metavar="CODE")] = MAIN_STORE,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Number of days to show.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Show the lowest price of a product in a store over time, as a chart and a table of changes.

    The prior price is the lowest of the 30 days before a reduction began. In the European Union, a reduction
    must be announced against it.
    """
    settings = command_settings()

    async def use(session: AsyncSession) -> tuple[datetime, PriceHistory]:
        now = await database_now(session)
        start = (now - timedelta(days=days)).date()
        return now, await get_price_history(session, sku=sku, store=store, now=now, start=start)

    now, found = in_transaction(settings, use)
    if as_json:
        print_json(record_in_api_words(found) | {"currency": settings.currency})
    else:
        _show(found, now=now, days=days, currency=settings.currency)


def _show(found: PriceHistory, *, now: datetime, days: int, currency: str) -> None:
    console = output()
    console.print(f"[bold]{escaped(found.sku)}[/] in store {escaped(found.store)}, prices in {currency}")
    if found.lowest_prices:
        prices = [(period.valid_from, period.price) for period in found.lowest_prices]
        console.print(draw_steps(prices, until=now, width=min(console.width, _WIDEST)), markup=False)
        table = new_table("from", "price", "base price", numbers=("price", "base price"))
        for moment, price in prices:
            base_price = _base_price(found, moment)
            table.add_row(
                format_time(moment), f"{price:,.2f}", "" if base_price is None else f"{base_price:,.2f}"
            )
        console.print(table)
    else:
        console.print(f"No price of the last {counted(days, 'day')} is known.")
    console.print(f"Lowest price of the last 30 days: [bold]{found.lowest_30_days:,.2f}[/]")
    if found.reduction is not None:
        console.print(
            f"Reduced since {format_time(found.reduction.began_at)}; prior price, the lowest of the 30 days "
            f"before: [bold]{found.reduction.prior_price:,.2f}[/]"
        )


def _base_price(found: PriceHistory, moment: datetime) -> Decimal | None:
    return next((each.price for each in reversed(found.base_prices) if each.valid_from <= moment), None)

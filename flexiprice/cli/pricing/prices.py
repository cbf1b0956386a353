"""`flexiprice prices`: shows the discounts in force."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import JsonOption, output, print_json
from flexiprice.cli.options import CategoryOption, LimitOption, StoreOption
from flexiprice.cli.price_tables import PriceRow, price_table, reasons
from flexiprice.db.clock import database_now
from flexiprice.pricing.discounts import DiscountOrder, OpenDiscount, list_open_discounts


def prices(
    *,
    store: StoreOption = None,
    category: CategoryOption = None,
    expiring_within: Annotated[
        int | None,
        typer.Option(min=0, max=3650, help="Only batches with at most this many days left.", metavar="DAYS"),
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the discounts in force, the largest first, each with the rule behind its price."""
    settings = command_settings()

    async def use(session: AsyncSession) -> tuple[OpenDiscount, ...]:
        return await list_open_discounts(
            session,
            now=await database_now(session),
            store=store,
            category=category,
            expiring_within=expiring_within,
            order=DiscountOrder.STEEPEST,
            # One more than is shown, to detect that there are more.
            limit=limit + 1,
        )

    found = in_transaction(settings, use)
    shown = found[:limit]
    if as_json:
        print_json(shown)
        return
    if not shown:
        output().print("No discount is in force. `flexiprice recompute --dry-run` shows what would open.")
        return
    _show(shown, settings.currency)
    if len(found) > limit:
        output().print(f"There are more than these {limit}; --limit shows them.", style="dim")


def _show(discounts: tuple[OpenDiscount, ...], currency: str) -> None:
    rows = [
        PriceRow(
            batch=discount,
            was=discount.base_price,
            now=discount.price,
            rate=discount.rate,
            why=reasons(discount.rule, discount.limits),
        )
        for discount in discounts
    ]
    console = output()
    console.print(price_table(rows, width=console.width, title=f"Discounts in force ({currency})"))

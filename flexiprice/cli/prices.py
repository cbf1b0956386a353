"""`flexiprice prices`: the discounts in force."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.connections import command_settings, in_transaction
from flexiprice.cli.console import JsonOption, new_table, output, percent, plain, print_json, why
from flexiprice.cli.options import CategoryOption, LimitOption, StoreOption
from flexiprice.db.database_clock import database_now
from flexiprice.services.discounts import DiscountOrder, OpenDiscount, list_open_discounts


def prices(
    *,
    store: StoreOption = None,
    category: CategoryOption = None,
    expiring_within: Annotated[
        int | None,
        typer.Option(min=0, max=3650, help="Only batches with at most so many days left.", metavar="DAYS"),
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the discounts in force, the steepest first, each with what made its price."""
    settings = command_settings()

    async def use(session: AsyncSession) -> tuple[OpenDiscount, ...]:
        return await list_open_discounts(
            session,
            now=await database_now(session),
            store=store,
            category=category,
            expiring_within=expiring_within,
            order=DiscountOrder.STEEPEST,
            # One more than is shown tells whether there are more.
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
    now = f"now ({currency})"
    table = new_table(
        "store", "sku", "product", "lot", "expires", "days", "stock", "was", now, "off", "why",
        numbers=("days", "stock", "was", now, "off"),
    )  # fmt: skip
    for discount in discounts:
        table.add_row(
            plain(discount.store),
            plain(discount.sku),
            plain(discount.product),
            plain(discount.lot),
            str(discount.expiry_date),
            str(discount.days_to_expiry),
            str(discount.quantity),
            f"{discount.base_price:,.2f}",
            f"[bold green]{discount.price:,.2f}[/]",
            percent(discount.rate),
            why(discount.rule, discount.limits),
        )
    output().print(table)

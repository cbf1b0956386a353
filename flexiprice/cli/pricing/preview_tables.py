"""Previews a recompute, and prints the discounts that open, change and close, and the totals."""

from datetime import datetime

from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.connections import in_transaction
from flexiprice.cli.console import escaped, new_table, output, print_json
from flexiprice.cli.price_tables import PriceRow, amount, price_table, reasons
from flexiprice.db.clock import database_now
from flexiprice.db.work import Work
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.policy import PricingPolicy
from flexiprice.plurals import counted
from flexiprice.pricing.preview import PreviewChange, RecomputePreview, preview_recompute
from flexiprice.settings import Settings

_SIGNS = {
    DecisionKind.OPENED: Text("+ open", style="green"),
    DecisionKind.CHANGED: Text("~ change", style="yellow"),
    DecisionKind.CLOSED: Text("- close", style="red"),
}


def show_preview(
    settings: Settings,
    *,
    policy: PricingPolicy | None = None,
    days_threshold: int | None,
    on: datetime | None,
    store: str | None,
    category: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Previews a recompute, and prints the changes and the totals of each category.

    Args:
        settings: the database, the currency and the default threshold.
        policy: replaces the active policy.
        days_threshold: days before expiry from which on a batch may get a discount.
        on: the date to price for; by default each store's local date.
        store: only the store with this code.
        category: only this category, in any spelling.
        limit: the maximum number of listed changes.
        as_json: prints JSON instead of tables.

    Raises:
        NotFound: the store does not exist.
        InvalidInput: the threshold or the limit is out of range.
        DatabaseUnavailable: PostgreSQL does not answer.
    """

    async def use(session: AsyncSession) -> RecomputePreview:
        return await preview_recompute(
            session,
            now=await database_now(session),
            days_threshold=settings.days_threshold if days_threshold is None else days_threshold,
            policy=policy,
            on=on.date() if on is not None else None,
            store=store,
            category=category,
            limit=limit,
        )

    preview = in_transaction(settings, use, work=Work.RECOMPUTE)
    if as_json:
        print_json(preview)
    else:
        _show(preview, settings.currency)


def _show(preview: RecomputePreview, currency: str) -> None:
    console = output()
    if preview.changes:
        _show_changes(preview, currency)
        if preview.truncated:
            steepest = counted(len(preview.changes), "change")
            console.print(f"There are more than the steepest {steepest}; --limit shows them.", style="dim")
        _show_totals(preview, currency)
    summary = preview.summary
    console.print(
        f"[bold]{summary.opened}[/] would open, [bold]{summary.changed}[/] change, "
        f"[bold]{summary.closed}[/] close; "
        f"{summary.unchanged:,} of {counted(summary.considered, 'batch')} would stay. Nothing was written."
    )


def _show_changes(preview: RecomputePreview, currency: str) -> None:
    rows = [
        PriceRow(
            sign=_SIGNS[change.kind],
            batch=change,
            was=change.previous_price if change.previous_price is not None else change.base_price,
            now=change.base_price if change.close_reason is CloseReason.NO_DISCOUNT else change.price,
            rate=change.rate,
            why=_reason(change),
        )
        for change in preview.changes
    ]
    console = output()
    console.print(price_table(rows, width=console.width, title=f"What would change ({currency})"))


def _show_totals(preview: RecomputePreview, currency: str) -> None:
    before, after = f"stock before ({currency})", f"after ({currency})"
    table = new_table(
        "category", "open", "change", "close", before, after, "difference",
        numbers=("open", "change", "close", before, after, "difference"),
    )  # fmt: skip
    for total in preview.totals:
        table.add_row(
            escaped(total.category),
            str(total.opened),
            str(total.changed),
            str(total.closed),
            amount(total.stock_value_before),
            amount(total.stock_value_after),
            amount(total.stock_value_after - total.stock_value_before),
        )
    output().print(table)


def _reason(change: PreviewChange) -> str:
    if change.close_reason is not None:
        return change.close_reason.value.replace("_", " ")
    return reasons(change.rule, change.limits)

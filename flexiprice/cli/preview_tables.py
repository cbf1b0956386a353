"""A preview of a recompute as a person reads it: what opens, changes and closes, and the totals."""

from decimal import Decimal

from flexiprice.cli.console import new_table, output, percent, plain, why
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.plurals import counted
from flexiprice.services.preview import PreviewChange, RecomputePreview

_SIGNS = {
    DecisionKind.OPENED: "[green]+ open[/]",
    DecisionKind.CHANGED: "[yellow]~ change[/]",
    DecisionKind.CLOSED: "[red]- close[/]",
}


def show_preview(preview: RecomputePreview, *, currency: str) -> None:
    """Writes the changes and the totals of each category."""
    console = output()
    if preview.changes:
        _show_changes(preview)
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


def _show_changes(preview: RecomputePreview) -> None:
    table = new_table(
        "", "store", "sku", "product", "lot", "expires", "days", "stock", "was", "now", "off", "why",
        numbers=("days", "stock", "was", "now", "off"),
    )  # fmt: skip
    for change in preview.changes:
        table.add_row(
            _SIGNS[change.kind],
            plain(change.store),
            plain(change.sku),
            plain(change.product),
            plain(change.lot),
            str(change.expiry_date),
            str(change.days_to_expiry),
            str(change.quantity),
            _amount(change.previous_price if change.previous_price is not None else change.base_price),
            _amount(change.base_price if change.close_reason is CloseReason.NO_DISCOUNT else change.price),
            percent(change.rate),
            _reason(change),
        )
    output().print(table)


def _show_totals(preview: RecomputePreview, currency: str) -> None:
    before, after = f"stock before ({currency})", f"after ({currency})"
    table = new_table(
        "category", "open", "change", "close", before, after, "difference",
        numbers=("open", "change", "close", before, after, "difference"),
    )  # fmt: skip
    for total in preview.totals:
        table.add_row(
            plain(total.category),
            str(total.opened),
            str(total.changed),
            str(total.closed),
            _amount(total.stock_value_before),
            _amount(total.stock_value_after),
            _amount(total.stock_value_after - total.stock_value_before),
        )
    output().print(table)


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _reason(change: PreviewChange) -> str:
    if change.close_reason is not None:
        return change.close_reason.value.replace("_", " ")
    return why(change.rule, change.limits)

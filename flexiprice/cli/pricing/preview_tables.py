"""Prints a preview of a recompute: the discounts that open, change and close, and the totals."""

from rich.text import Text

from flexiprice.cli.console import new_table, output, plain
from flexiprice.cli.price_tables import PriceRow, amount, price_table, reasons
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.plurals import counted
from flexiprice.pricing.preview import PreviewChange, RecomputePreview

_SIGNS = {
    DecisionKind.OPENED: Text("+ open", style="green"),
    DecisionKind.CHANGED: Text("~ change", style="yellow"),
    DecisionKind.CLOSED: Text("- close", style="red"),
}


def show_preview(preview: RecomputePreview, *, currency: str) -> None:
    """Prints the changes and the totals of each category."""
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
            plain(total.category),
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

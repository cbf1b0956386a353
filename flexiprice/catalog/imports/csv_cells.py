"""Makes cells of written CSV files safe to open in a spreadsheet."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def inert(cell: str) -> str:
    """Returns a cell that a spreadsheet shows and does not evaluate, even if it looks like a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell

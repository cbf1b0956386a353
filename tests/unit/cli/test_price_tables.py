"""Tables of prices on a terminal: one line a batch, with the needed columns in any width."""

import io
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.text import Text

from flexiprice.catalog.batch_identity import BatchIdentity
from flexiprice.cli.price_tables import PriceRow, price_table, reasons
from flexiprice.cli.terminal import TerminalConsole
from flexiprice.domain.quantity import Unit

BREAD = PriceRow(
    batch=BatchIdentity(
        batch_id=1,
        store="main",
        sku="DEMO-BAK-04",
        product="Wholemeal sandwich bread 500 g, sliced, with sunflower seeds",
        category="Bakery",
        lot="DEMO-1",
        expiry_date=date(2026, 11, 23),
        days_to_expiry=0,
        quantity=Decimal(120),
        unit=Unit.EACH,
    ),
    was=Decimal("12.50"),
    now=Decimal("6.25"),
    rate=Decimal("0.5"),
    why=reasons("bakery overstock on the last day of sale", ["max_discount", "rounding"]),
)
FISH = PriceRow(
    batch=replace(BREAD.batch, sku="4006381333931", product="鮭の切り身とイクラの詰め合わせ 🐟 お徳用"),
    was=BREAD.was,
    now=Decimal("0.48"),
    rate=BREAD.rate,
    why=BREAD.why,
)
OTHER_STORE = replace(
    BREAD, batch=replace(BREAD.batch, store="berlin-mitte", lot="L" * 64, product="Rye\nbread")
)
HAM = replace(BREAD, was=Decimal("1234.50"), now=Decimal("617.25"))
ROWS = [BREAD, FISH, OTHER_STORE]


def rendered(rows: list[PriceRow], width: int) -> list[str]:
    written = io.StringIO()
    console = TerminalConsole(file=written, width=width)
    console.print(price_table(rows, width=width, title="Discounts in force (EUR)"))
    return [line for line in written.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [80, 100, 120, 160, 300])
@pytest.mark.parametrize("rows", [[BREAD, HAM], ROWS])
def test_each_batch_has_one_line_and_every_amount_stands_whole_under_the_other(
    rows: list[PriceRow], width: int
) -> None:
    title, heading, rule, *lines = rendered(rows, width)
    assert title.strip() == "Discounts in force (EUR)"
    assert len(lines) == len(rows)
    assert max(map(cell_len, (heading, rule, *lines))) <= width
    for row, line in zip(rows, lines, strict=True):
        for needed in (
            row.batch.sku,
            row.batch.product[:5],
            "120",
            f"{row.was:,.2f}",
            f"{row.now:,.2f}",
            "50%",
        ):
            assert needed.partition("\n")[0] in line
    ends = {cell_len(line[: line.index(f"{row.now:,.2f}") + len(f"{row.now:,.2f}")])
            for row, line in zip(rows, lines, strict=True)}  # fmt: skip
    assert ends == {cell_len(heading[: heading.index("now") + 3])}, "money stands at the right"


def test_80_columns_keep_what_is_needed_and_shorten_the_rest() -> None:
    heading = rendered([BREAD, FISH], 80)[1].split()
    assert heading == ["sku", "product", "days", "stock", "was", "now", "off", "why"]
    line = rendered([BREAD, FISH], 80)[3]
    assert "Wholemeal" in line
    assert "…" in line
    assert "bakery" in line


def test_the_store_is_told_wherever_there_are_several() -> None:
    for width in (80, 120, 200):
        heading, _, first, _, last = rendered(ROWS, width)[1:]
        assert heading.startswith("store")
        assert first.startswith("main ")
        assert last.startswith("berlin")


def test_a_wide_terminal_shows_everything_whole() -> None:
    heading, _, *lines = rendered(ROWS, 300)[1:]
    assert heading.split() == (
        ["store", "sku", "product", "lot", "expires", "days", "stock", "was", "now", "off", "why"]
    )
    assert "…" not in "".join(lines)
    assert "bakery overstock on the last day of sale, max discount, rounding" in lines[0]
    assert "Rye bread" in lines[2], "a line break in a name makes no second line"


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    plain = replace(BREAD, batch=replace(BREAD.batch, lot=""))
    assert "lot" not in rendered([plain], 300)[1].split()
    opened = replace(plain, sign=Text("+ open"))
    assert "+ open" in rendered([opened, plain], 80)[3]


def test_markup_and_escapes_in_a_name_are_only_text() -> None:
    tomorrow = BREAD.batch.expiry_date + timedelta(days=1)
    hostile = replace(BREAD, batch=replace(BREAD.batch, product="[red]a[/] \x1b[2J", expiry_date=tomorrow))
    line = rendered([hostile], 300)[3]
    assert "[red]a[/] \\u001b[2J" in line


def test_goods_without_an_expiry_date_have_words_for_it() -> None:
    undated = replace(BREAD, batch=replace(BREAD.batch, expiry_date=None, days_to_expiry=None))
    (line,) = [line for line in rendered([undated], 300) if "DEMO-BAK-04" in line]
    assert "no date" in line
    assert "None" not in line

"""A grocer's real export: imported whole, and priced on a day of its own year.

The file is shared beside the checkout and is no part of it; `test_imports.py` has a small one like it.
"""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Batch, Product
from flexiprice.policies.text import parse_policy_text
from flexiprice.services.imports.columns import parse_column_map
from flexiprice.services.imports.importer import FileLayout, import_catalogue
from flexiprice.services.imports.report import ImportReport
from flexiprice.services.preview import preview_recompute

FILE = Path(__file__).parents[2].parent / "shared" / "data" / "grocery_inventory_raw.csv"
LAYOUT = FileLayout(
    columns=parse_column_map(
        [
            "sku=Product_ID",
            "name=Product_Name",
            "category=Catagory",
            "base_price=Unit_Price",
            "lot=Warehouse_Location",
            "quantity=Stock_Quantity",
            "expiry_date=Expiration_Date",
        ]
    ),
    date_formats=("%m/%d/%Y", "%m-%d-%Y"),
    currency="USD",
)
DAY = date(2024, 9, 16)
POLICY = """
max_discount: 0.60
floor_fraction: 0.30
rounding_step: 0.05
min_change: 0.10
rules:
  - {name: last day,  days_to_expiry: {max: 0}, discount: 0.50}
  - {name: tomorrow,  days_to_expiry: {max: 1}, discount: 0.30}
  - {name: this week, days_to_expiry: {min: 2, max: 7}, discount: 0.10}
  - {name: plenty,    days_to_expiry: {max: 3}, quantity: {min: 75}, discount: 0.40}
categories:
  Bakery:
    rules:
      - {name: bread, days_to_expiry: {max: 1}, discount: 0.75}
  Seafood:
    rules:
      - {name: seafood, days_to_expiry: {max: 4}, discount: 0.35}
  Dairy:
    floor_fraction: 0.80
    rules:
      - {name: dairy this week, days_to_expiry: {max: 6}, discount: 0.15}
      - {name: dairy tomorrow,  days_to_expiry: {max: 1}, discount: 0.50}
"""

# Worked out by hand from the rows of the file: price, rate, rule, limits.
BY_HAND = {
    # Sushi Rice, $4.50, 22 in stock, 3 days: 4.50 × 0.90.
    "29-205-1132": ("4.05", "0.1000", "this week", ()),
    # Robusta Coffee, $10.00, 20 in stock, 6 days.
    "37-064-7275": ("9.00", "0.1000", "this week", ()),
    # Asparagus, $5.00, 80 in stock, last day: half beats the 40% for plenty.
    "20-448-2972": ("2.50", "0.5000", "last day", ()),
    # Lime, $1.90, 75 in stock, 3 days: 1.90 × 0.60 = 1.14, to the step 1.15.
    "29-344-3658": ("1.15", "0.3947", "plenty", ("rounding",)),
    # Zucchini, $2.50, 61 in stock, 3 days: 61 are not plenty.
    "26-161-6692": ("2.25", "0.1000", "this week", ()),
    # Multigrain Bread, $3.50, 46 in stock, 1 day: 75% is capped at 60%.
    "30-832-5429": ("1.40", "0.6000", "bread", ("max_discount",)),
    # Mackerel, $7.50, 30 in stock, 4 days: 7.50 × 0.65 = 4.875, halfway goes up to 4.90.
    "83-966-3280": ("4.90", "0.3467", "seafood", ("rounding",)),
    # Gouda, $7.00, 48 in stock, 3 days: 7.00 × 0.85, above its floor of 5.60.
    "21-890-2826": ("5.95", "0.1500", "dairy this week", ()),
    # Milk, $0.90, 13 in stock, 2 days: 0.90 × 0.85 = 0.765, to the step 0.75.
    "20-405-4865": ("0.75", "0.1667", "dairy this week", ("rounding",)),
    # Quail eggs, $0.80, 93 in stock, 1 day: 0.40 is below the floor of 0.64, which goes up to 0.65.
    "70-206-4860": ("0.65", "0.1875", "dairy tomorrow", ("floor", "rounding")),
}
NOT_DISCOUNTED = {
    # Hen's eggs, $0.20, 1 day: the floor of 0.16 goes up to 0.20, which is no discount.
    "96-682-8546",
    # Sold by the month: Arabica Coffee expired in May.
    "40-681-9981",
    # Cabbage without a category was not imported.
    "10-378-9729",
}


async def import_file(session: AsyncSession) -> ImportReport:
    if not FILE.exists():
        pytest.skip(f"{FILE} is not there")
    with FILE.open("rb") as file:
        return await import_catalogue(session, iter(lambda: file.read(4096), b""), LAYOUT)


async def test_every_good_row_is_imported_and_the_one_bad_row_is_named(session: AsyncSession) -> None:
    report = await import_file(session)
    assert (report.read, report.imported, report.bad) == (990, 989, 1)
    assert [(row.line, str(row.problems[0])) for row in report.bad_rows] == [
        (687, "Catagory: is empty, and it is required")
    ]
    assert (report.products_new, report.batches_new) == (989, 989)
    dates = await session.execute(select(func.min(Batch.expiry_date), func.max(Batch.expiry_date)))
    # Month first in both spellings, or some of it would lie in other months.
    assert dates.one() == (date(2024, 2, 25), date(2025, 2, 24))
    categories = Counter(await session.scalars(select(Product.category)))
    assert categories == {
        "Fruits & Vegetables": 331,
        "Dairy": 180,
        "Grains & Pulses": 162,
        "Seafood": 90,
        "Oils & Fats": 77,
        "Beverages": 75,
        "Bakery": 74,
    }


async def test_it_is_priced_on_a_day_of_2024_as_worked_out_by_hand(session: AsyncSession) -> None:
    await import_file(session)
    preview = await preview_recompute(
        session,
        now=datetime.now(UTC),
        on=DAY,
        policy=parse_policy_text(POLICY),
        limit=1000,
    )
    found = {
        change.sku: (
            str(change.price),
            str(change.rate),
            change.rule,
            tuple(limit.value for limit in change.limits),
        )
        for change in preview.changes
    }
    assert {sku: found.get(sku) for sku in BY_HAND} == BY_HAND
    assert not NOT_DISCOUNTED & found.keys()

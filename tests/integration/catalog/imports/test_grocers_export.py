"""A grocer's export, with the quirks of a real one: imported whole, and priced on a day of its own year.

A misspelt header, prices with a sign and a blank behind them, dates that a spreadsheet wrote in two spellings
as it took them for dates or not, one row without a category.
"""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.importer import import_catalogue
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.db.tables import Batch, Product
from flexiprice.pricing.policy_files import parse_policy_text
from flexiprice.pricing.preview import preview_recompute

FILE = Path(__file__).with_name("grocers_export.csv")
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
    # Basmati Rice, $6.50, 31 in stock, 3 days: 6.50 × 0.90.
    "14-731-0925": ("5.85", "0.1000", "this week", ()),
    # Filter Coffee, $12.00, 18 in stock, 6 days.
    "52-118-6340": ("10.80", "0.1000", "this week", ()),
    # Leek, $3.00, 90 in stock, last day: half beats the 40% for plenty.
    "33-904-1187": ("1.50", "0.5000", "last day", ()),
    # Lemon, $2.10, 75 in stock, 3 days: 2.10 × 0.60 = 1.26, to the step 1.25.
    "61-257-4409": ("1.25", "0.4048", "plenty", ("rounding",)),
    # Courgette, $3.50, 74 in stock, 3 days: 74 are not plenty.
    "08-662-7731": ("3.15", "0.1000", "this week", ()),
    # Spelt Bread, $4.50, 12 in stock, 1 day: 75% is capped at 60%.
    "47-390-2254": ("1.80", "0.6000", "bread", ("max_discount",)),
    # Herring, $6.50, 33 in stock, 4 days: 6.50 × 0.65 = 4.225, halfway goes up to 4.25.
    "90-145-8613": ("4.25", "0.3462", "seafood", ("rounding",)),
    # Edam, $6.00, 40 in stock, 3 days: 6.00 × 0.85, above its floor of 4.80.
    "25-873-0098": ("5.10", "0.1500", "dairy this week", ()),
    # Buttermilk, $1.10, 21 in stock, 2 days: 1.10 × 0.85 = 0.935, to the step 0.95.
    "73-016-5542": ("0.95", "0.1364", "dairy this week", ("rounding",)),
    # Goose eggs, $0.90, 93 in stock, 1 day: 0.45 is below the floor of 0.72, which goes up to 0.75.
    "19-508-3376": ("0.75", "0.1667", "dairy tomorrow", ("floor", "rounding")),
}
NOT_DISCOUNTED = {
    # Hen's eggs, $0.20, 1 day: the floor of 0.16 goes up to 0.20, which is no discount.
    "84-229-6105",
    # Month first: Mocha Coffee expired in May.
    "36-447-9920",
    # Kohlrabi without a category was not imported.
    "57-681-1243",
}


async def import_file(session: AsyncSession) -> ImportReport:
    with FILE.open("rb") as file:
        return (await import_catalogue(session, iter(lambda: file.read(4096), b""), LAYOUT)).report


async def test_every_good_row_is_imported_and_the_one_bad_row_is_named(session: AsyncSession) -> None:
    report = await import_file(session)
    assert (report.read, report.imported, report.bad) == (69, 68, 1)
    assert [(row.line, str(row.problems[0])) for row in report.bad_rows] == [
        (46, "Catagory: is empty, and it is required; --default-category NAME names one for such rows")
    ]
    assert (report.products_new, report.batches_new) == (68, 68)
    dates = await session.execute(select(func.min(Batch.expiry_date), func.max(Batch.expiry_date)))
    # Month first in both spellings, or some of it would lie in other months.
    assert dates.one() == (date(2024, 3, 5), date(2025, 2, 23))
    categories = Counter(await session.scalars(select(Product.category)))
    assert categories == {
        "Fruits & Vegetables": 19,
        "Dairy": 14,
        "Grains & Pulses": 11,
        "Bakery": 7,
        "Oils & Fats": 6,
        "Beverages": 6,
        "Seafood": 5,
    }


async def test_grocers_export_is_priced_on_a_day_of_2024_as_worked_out_by_hand(session: AsyncSession) -> None:
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

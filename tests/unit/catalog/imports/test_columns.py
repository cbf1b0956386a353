"""Columns are matched by equal names or by a map; similar names are only suggested."""

import pytest

from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.columns import find_lookalikes, match_columns, match_header
from flexiprice.catalog.imports.fields import ImportField
from flexiprice.errors import InvalidInput

PLAIN = ("SKU", "Name", "Category", "Base Price", "Quantity", "expiry-date")
GROCER = (
    "Product_ID",
    "Product_Name",
    "Catagory",
    "Stock_Quantity",
    "Unit_Price",
    "Expiration_Date",
    "Status",
)


def test_equal_names_match_in_any_spelling() -> None:
    match = match_header(PLAIN, {})
    assert match.columns[ImportField.BASE_PRICE] == "Base Price"
    assert match.columns[ImportField.EXPIRY_DATE] == "expiry-date"
    assert match.unused == ()


def test_missing_columns_come_with_suggestions_and_are_never_guessed() -> None:
    with pytest.raises(InvalidInput, match="no column for sku, name, category") as refusal:
        match_header(GROCER, {})
    assert refusal.value.details["suggestions"] == {
        "sku": "Product_ID",
        "name": "Product_Name",
        "category": "Catagory",
        "base_price": "Unit_Price",
        "quantity": "Stock_Quantity",
        "expiry_date": "Expiration_Date",
    }


def test_a_mapping_leaves_the_other_columns_unused() -> None:
    mapping = parse_column_map(
        [
            "sku=Product_ID",
            "name=Product_Name",
            "category=Catagory",
            "base_price=Unit_Price",
            "quantity=Stock_Quantity",
            "expiry_date=Expiration_Date",
        ]
    )
    assert match_header(GROCER, mapping).unused == ("Status",)


def test_a_misspelt_column_in_the_mapping_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="no column 'Category' for category; did you mean 'Catagory'"):
        match_header(GROCER, {ImportField.CATEGORY: "Category"})


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (["categry=Catagory"], "did you mean category"),
        (["Product_ID=sku"], "write sku=Product_ID"),
        (["sku"], "must look like"),
        (["sku=A", "sku=B"], "mapped twice"),
        (["sku="], "is required"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(pairs: list[str], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_column_map(pairs)


def test_a_column_can_be_left_out_although_its_name_would_match() -> None:
    match = match_columns((*PLAIN, "lot"), parse_column_map(["lot="]))
    assert ImportField.LOT not in match.columns
    assert match.unused == ("lot",)


def test_a_column_that_stands_there_twice_is_refused_where_it_is_needed() -> None:
    with pytest.raises(InvalidInput, match="two columns 'Name'"):
        match_header((*PLAIN, "Name"), {})
    assert match_header((*PLAIN, "Status", "Status"), {}).columns


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("basePrice", ImportField.BASE_PRICE),
        ("BASE.PRICE", ImportField.BASE_PRICE),
        ("expiryDate", ImportField.EXPIRY_DATE),
        ("\ufeffSKU", ImportField.SKU),
        ("Lot #", ImportField.LOT),
        ("Lot number", ImportField.LOT),
        ("batchNo", ImportField.LOT),
        ("Store code", ImportField.STORE),
        ("storeCode", ImportField.STORE),
        ("Cost price", ImportField.UNIT_COST),
    ],
)
def test_a_name_that_says_a_field_is_that_field(name: str, field: ImportField) -> None:
    assert match_columns((name, "Colour"), {}).columns == {field: name}


def test_an_equal_name_wins_over_one_of_the_same_meaning() -> None:
    match = match_columns(("Store code", "store", "Lot number", "Batch number"), {})
    assert match.columns == {ImportField.STORE: "store"}
    # Which of the two holds the lot cannot be known.
    assert find_lookalikes(match, {}) == {ImportField.LOT: ("Lot number", "Batch number")}
    assert find_lookalikes(match, parse_column_map(["lot="])) == {}


def test_two_spellings_of_one_name_are_refused_until_it_is_said_which() -> None:
    header = (*PLAIN, "quantity")
    with pytest.raises(InvalidInput, match="'Quantity' and 'quantity', and either may be quantity"):
        match_header(header, {})
    match = match_header(header, parse_column_map(["quantity=quantity"]))
    assert (match.columns[ImportField.QUANTITY], match.unused) == ("quantity", ("Quantity",))


def test_column_names_of_other_systems_are_suggested() -> None:
    names = ("Product code", "Product name", "Lot number", "Expiration date", "OB QOH", "Physical QOH")
    with pytest.raises(InvalidInput) as refusal:
        match_header(names, {})
    assert refusal.value.details["suggestions"] == {
        "sku": "Product code",
        "name": "Product name",
        "quantity": "OB QOH",
        "expiry_date": "Expiration date",
    }
    with pytest.raises(InvalidInput) as refusal:
        match_header(("sku", "name", "category", "originalPrice", "stockLevel", "expiryDate"), {})
    assert refusal.value.details["suggestions"] == {"base_price": "originalPrice", "quantity": "stockLevel"}


def test_a_file_without_a_sku_is_offered_its_gtin_for_it() -> None:
    with pytest.raises(InvalidInput, match="no column for sku") as refusal:
        match_header(("EAN", "Name", "Category", "Base Price", "Quantity", "expiry-date"), {})
    assert refusal.value.details["suggestions"] == {"sku": "EAN"}

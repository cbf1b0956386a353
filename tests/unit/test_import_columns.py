"""Which column holds what is matched by equal names or said; everything else is only suggested."""

import pytest

from flexiprice.errors import InvalidInput
from flexiprice.services.imports.columns import ImportField, match_columns, match_header, parse_column_map

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

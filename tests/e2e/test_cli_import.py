"""`flexiprice import` as a grocer's colleague types it."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Run

FILE = """\
Product_ID,Product_Name,Catagory,Stock_Quantity,Unit_Price,Expiration_Date
A1,Sushi Rice,Grains,22,$4.50 ,9/19/2024
A2,Cabbage,,69,$6.55 ,9/21/2024
A3,[red]Feta,Dairy,62,free,02-05-2024
A4,Brie,Dairy,8,$3.20,10/1/2024
"""
MAPPED = [
    *("--map", "sku=Product_ID", "--map", "name=Product_Name", "--map", "category=Catagory"),
    *(
        "--map",
        "quantity=Stock_Quantity",
        "--map",
        "base_price=Unit_Price",
        "--map",
        "expiry_date=Expiration_Date",
    ),
]
MONTH_FIRST = ["--date-format", "%m/%d/%Y", "--date-format", "%m-%d-%Y"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stock.csv"
    path.write_text(FILE)
    return path


def test_columns_with_other_names_are_suggested_ready_to_be_typed(run: Run, file: Path) -> None:
    refused = run("import", str(file))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "no column for sku, name, category" in refused.stderr
    assert "--map category=Catagory" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_sound_rows_go_in_and_bad_ones_are_shown_and_written_to_a_file(
    run: Run, file: Path, tmp_path: Path
) -> None:
    imported = run("import", str(file), *MAPPED, *MONTH_FIRST, "--errors", "bad.csv")
    assert imported.returncode == 3, imported.stderr
    for word in ("Catagory", "is empty, and it is required", "'free' is not a price", "flexiprice status"):
        assert word in imported.stdout
    assert (tmp_path / "bad.csv").read_text().splitlines() == [
        "line,column,reason",
        '3,Catagory,"is empty, and it is required"',
        "4,Unit_Price,'free' is not a price",
    ]
    # The same without a word about its dates: no row can be read.
    unread = run("import", str(file), *MAPPED)
    assert unread.returncode == 1
    assert "--date-format %m/%d/%Y" in unread.stdout
    again = json.loads(run("import", str(file), *MAPPED, *MONTH_FIRST, "--json").stdout)
    assert again["report"]["batches_unchanged"] == 2
    assert again["recompute_job_id"] is None


def test_a_rehearsal_writes_nothing_and_standard_input_is_a_file_too(run: Run) -> None:
    typed = "sku;name;category;base_price;quantity;expiry_date\nA;Reis;Vorrat;1,50;5;24.12.2030\n"
    options = ["import", "-", "--decimal-comma", "--date-format", "%d.%m.%Y", "--json"]
    for rehearsal in (["--dry-run"], []):
        imported = run(*options, *rehearsal, typed=typed)
        assert imported.returncode == 0, imported.stderr
        assert json.loads(imported.stdout)["report"]["batches_new"] == 1


def test_an_import_is_kept_where_redis_is_away_and_it_says_so(run: Run) -> None:
    typed = "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,1.50,5,2030-12-24\n"
    imported = run("import", "-", typed=typed, FLEXIPRICE_REDIS_URL="redis://127.0.0.1:9/0")
    assert imported.returncode == 0, imported.stderr
    assert "Not repriced yet" in imported.stderr
    assert json.loads(run("import", "-", "--json", typed=typed).stdout)["report"]["batches_unchanged"] == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (["import", "-", "--store", "moon"], {}, "there is no store 'moon'"),
        (
            ["import", "-"],
            {"FLEXIPRICE_DATABASE_URL": "postgresql://a:secret@127.0.0.1:9/b"},
            "does not answer",
        ),
    ],
)
def test_what_cannot_work_is_said_in_one_line_without_a_traceback(
    arguments: list[str], variables: dict[str, str], reason: str, run: Run
) -> None:
    typed = "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,1.50,5,2030-12-24\n"
    refused = run(*arguments, typed=typed, **variables)
    assert refused.returncode in {1, 2}
    assert reason in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr

"""`flexiprice import`: suggestions, reports, dry runs and warnings."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Run

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
    dollars = {"FLEXIPRICE_CURRENCY": "USD"}
    imported = run("import", str(file), *MAPPED, *MONTH_FIRST, "--errors", "bad.csv", **dollars)
    assert imported.returncode == 3, imported.stderr
    for word in ("Catagory", "is empty, and it is required", "'free' is not a price", "flexiprice status"):
        assert word in imported.stdout
    assert (tmp_path / "bad.csv").read_text().splitlines() == [
        "line,column,reason",
        '3,Catagory,"is empty, and it is required"',
        "4,Unit_Price,'free' is not a price",
    ]
    # The same without a word about its dates: no row can be read.
    unread = run("import", str(file), *MAPPED, **dollars)
    assert unread.returncode == 1
    assert "--date-format %m/%d/%Y" in unread.stdout
    again = json.loads(run("import", str(file), *MAPPED, *MONTH_FIRST, "--json", **dollars).stdout)
    assert again["report"]["batches_unchanged"] == 2
    assert again["repricing"] == {"status": "not_needed", "task_id": None}


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
def test_impossible_import_ends_with_one_line_and_no_traceback(
    arguments: list[str], variables: dict[str, str], reason: str, run: Run
) -> None:
    typed = "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,1.50,5,2030-12-24\n"
    refused = run(*arguments, typed=typed, **variables)
    assert refused.returncode in {1, 2}
    assert reason in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr


PLAIN = "sku,name,category,base_price,quantity,expiry_date"


@pytest.mark.parametrize("option", ["--errors", "--warnings"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [("no/such/folder/bad.csv", "no such file or directory"), ("/dev/full", "no space left on device")],
)
def test_a_file_that_cannot_be_written_is_said_in_a_sentence_and_nothing_is_imported(
    option: str, path: str, reason: str, run: Run
) -> None:
    typed = f"{PLAIN}\nA,Rice,Pantry,1.50,5,2030-12-24\n"
    refused = run("import", "-", option, path, typed=typed)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"{path} cannot be written: {reason}; name a file in a folder that you may write to"
    ]
    assert json.loads(run("import", "-", "--json", typed=typed).stdout)["report"]["batches_new"] == 1


def test_the_file_that_is_read_is_never_the_one_that_is_written(run: Run, file: Path) -> None:
    for option in ("--errors", "--warnings"):
        refused = run("import", str(file), *MAPPED, option, str(file))
        assert refused.returncode == 1
        assert "is the file to import" in refused.stderr
    refused = run("import", str(file), *MAPPED, "--errors", "one.csv", "--warnings", "one.csv")
    assert "must be two files" in refused.stderr
    assert file.read_text() == FILE


def test_warnings_are_shown_told_in_json_and_written_to_a_file(run: Run, tmp_path: Path) -> None:
    typed = f"{PLAIN},Shop\n'0012,Rice,Pantry,1.50,5,2030-12-24,west\n"
    shown = run("import", "-", "--dry-run", "--warnings", "told.csv", typed=typed)
    assert shown.returncode == 0, shown.stderr
    assert "Ignored columns: Shop" in shown.stdout
    assert "Shop: may hold store, which has no column: --map store=Shop reads it" in shown.stdout
    assert "line 2, sku: \"'0012\" begins with a spreadsheet's mark for text, read as '0012'" in shown.stdout
    assert (tmp_path / "told.csv").read_text().splitlines() == [
        "line,column,message",
        ',Shop,"may hold store, which has no column: --map store=Shop reads it"',
        '2,sku,"""\'0012"" begins with a spreadsheet\'s mark for text, read as \'0012\'"',
    ]
    report = json.loads(run("import", "-", "--json", typed=typed).stdout)["report"]
    assert report["unused_columns"] == ["Shop"]
    assert report["warning_count"] == 2
    assert [(warning["line"], warning["column"]) for warning in report["warnings"]] == [
        (None, "Shop"),
        (2, "sku"),
    ]


def test_a_file_in_another_encoding_is_refused_in_letters_that_can_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(
        f"{PLAIN};Größe\nA;Käse;Vorrat;1,50;5;24.12.2030;9\n".replace(",", ";", 5)
        .replace("1;50", "1,50")
        .encode("cp1252")
    )
    refused = run("import", "latin.csv", "--errors", "bad.csv")
    assert refused.returncode == 1, refused.stderr
    for words in (
        "--encoding cp1252 reads it as 'Käse'",
        "--decimal-comma reads it as 1.50",
        "--date-format %d.%m.%Y",
    ):
        assert words in refused.stdout
        assert words in (tmp_path / "bad.csv").read_text()
    assert "udc" not in refused.stdout
    taken = run("import", "latin.csv", "--encoding", "cp1252", "--decimal-comma", "--date-format", "%d.%m.%Y")
    assert taken.returncode == 0, taken.stdout


def test_timestamps_are_dates_where_that_is_said(run: Run) -> None:
    typed = f"{PLAIN}\nA,Rice,Pantry,1.50,5,2030-12-24T18:30:00Z\n"
    refused = run("import", "-", typed=typed)
    assert refused.returncode == 1
    assert "--timestamps local" in refused.stdout
    assert run("import", "-", "--timestamps", "local", typed=typed).returncode == 0

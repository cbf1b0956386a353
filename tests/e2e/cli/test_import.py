"""`flexiprice import`: suggestions, reports, dry runs and warnings."""

import json
from datetime import date
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.workbooks import xlsx

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
        '3,Catagory,"is empty, and it is required; --default-category NAME names one for such rows"',
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


def test_a_mapping_is_saved_by_an_import_and_used_for_the_next_one(run: Run) -> None:
    typed = "Artikel;Name;Category;Preis;Quantity;MHD;Regal\nA;Reis;Vorrat;1,50;5;24.12.2030;R1\n"
    options = [
        *(
            "--map",
            "sku=Artikel",
            "--map",
            "base_price=Preis",
            "--map",
            "expiry_date=MHD",
            "--map",
            "lot=Regal",
        ),
        *("--date-format", "%d.%m.%Y", "--decimal-comma"),
    ]
    tried = run("import", "-", *options, "--save-map", "nacht", "--dry-run", typed=typed)
    assert (tried.returncode, "Saved" in tried.stdout) == (0, False)
    unknown = run("import", "-", "--format", "nacht", typed=typed)
    assert unknown.returncode == 1
    assert "there is no format or saved mapping 'nacht'; it is one of csv, ndjson, json, excel, odoo" in (
        unknown.stderr.replace("\n", " ")
    )
    first = run("import", "-", *options, "--save-map", "nacht", typed=typed)
    assert first.returncode == 0, first.stderr
    assert "Saved for next time: flexiprice import FILE --format nacht" in first.stdout
    both = run("import", "-", "--format", "nacht", "--decimal-comma", "--decimal-point", typed=typed)
    assert both.stderr == "--decimal-comma and --decimal-point contradict each other\n"
    with_point = run("import", "-", "--format", "nacht", "--decimal-point", typed=typed)
    assert "'1,50' is not a price with a decimal point" in with_point.stdout
    second = run("import", "-", "--format", "nacht", "--map", "lot=", "--json", typed=typed)
    told = json.loads(second.stdout)
    assert (told["saved_map"], told["report"]["imported"]) == (None, 1)
    assert told["report"]["columns"].keys() == {
        "sku",
        "name",
        "category",
        "base_price",
        "quantity",
        "expiry_date",
    }
    (saved,) = json.loads(run("import-maps", "list", "--json").stdout)
    assert saved.pop("saved_at")
    assert saved == {
        "name": "nacht",
        "columns": {"sku": "Artikel", "base_price": "Preis", "expiry_date": "MHD", "lot": "Regal"},
        "date_formats": ["%d.%m.%Y"],
        "decimal_comma": True,
    }
    listed = run("import-maps", "list").stdout
    assert "sku from Artikel" in listed
    assert "decimal comma" in listed
    assert run("import-maps", "delete", "nacht").stdout == "nacht is deleted.\n"
    again = run("import-maps", "delete", "nacht")
    assert (again.returncode, again.stderr) == (1, "there is no mapping 'nacht'\n")
    assert "No mapping is saved" in run("import-maps", "list").stdout
    audited = json.loads(run("audit", "--json").stdout)
    assert [(entry["action"], entry["target"]) for entry in audited[:2]] == [
        ("delete_import_mapping", "nacht"),
        ("delete_import_mapping", "nacht"),
    ]
    created = next(entry for entry in audited if entry["action"] == "save_import_mapping")
    assert created["changes"]["columns"]["new"] == "sku=Artikel, base_price=Preis, expiry_date=MHD, lot=Regal"


@pytest.mark.parametrize("name", ["odoo", "csv", "Nacht", "a b", "", "x" * 41])
def test_a_mapping_has_a_name_of_its_own(run: Run, name: str) -> None:
    refused = run("import", "-", "--save-map", name, typed=f"{PLAIN}\nA,Rice,Pantry,1.50,5,2030-12-24\n")
    assert refused.returncode == 1
    assert "is a built-in format" in refused.stderr or "must begin with a lower-case letter" in refused.stderr
    assert refused.stdout == ""


def test_a_workbook_and_a_known_export_are_read_by_one_command(run: Run, tmp_path: Path) -> None:
    rows = [
        ["Product/Internal Reference", "Product/Name", "Product/Product Category", "Product/Sales Price"],
        ["R1", "Rice", "Pantry", 2.5],
    ]
    rows[0] += ["Lot/Serial Number", "On Hand Quantity", "Expiration Date"]
    rows[1] += ["L1", 12, date(2030, 1, 2)]
    (tmp_path / "export.xlsx").write_bytes(xlsx({"Lots": rows, "Notes": [["counted"]]}))
    unclear = run("import", "export.xlsx", "--format", "odoo")
    assert "--sheet Lots reads the first of them" in unclear.stderr.replace("\n", " ")
    read = run("import", "export.xlsx", "--format", "odoo", "--sheet", "Lots", "--json")
    assert (read.returncode, json.loads(read.stdout)["report"]["imported"]) == (0, 1)


def test_complete_file_with_a_bad_row_is_not_imported_and_says_so(run: Run, tmp_path: Path) -> None:
    rows = "sku,name,category,base_price,quantity,expiry_date\nA,Rice,Pantry,2.00,5,2090-01-01\n"
    stock = tmp_path / "stock.csv"
    stock.write_text(rows)
    assert run("import", str(stock)).returncode == 0
    stock.write_text(rows + "B,Rye,Bakery,free,5,2090-01-01\n")
    refused = run("import", "--complete", str(stock))
    assert refused.returncode == 1
    assert "Nothing was imported: a complete file is imported as a whole or not at all." in refused.stdout
    assert "flexiprice status" not in refused.stdout


def test_complete_file_that_leaves_out_much_needs_a_confirmation(run: Run, tmp_path: Path) -> None:
    header = "sku,name,category,base_price,quantity,expiry_date\n"
    rice, rye = "A,Rice,Pantry,2.00,5,2090-01-01\n", "B,Rye,Bakery,3.00,5,2090-01-01\n"
    stock = tmp_path / "stock.csv"
    stock.write_text(header + rice + rye)
    assert run("import", str(stock)).returncode == 0
    stock.write_text(header + rice)
    refused = run("import", "--complete", str(stock))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "lacks 1 of the 2 batches in stock" in refused.stderr
    done = json.loads(run("import", "--complete", str(stock), "--yes", "--json").stdout)
    assert (done["report"]["batches_sold_out"], done["repricing"]["status"]) == (1, "queued")

"""`flexiprice import --kind`: sales, waste, counts and deliveries from files."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from flexiprice.settings import Settings
from tests.support.commands import Run

NOW = datetime.now(UTC).replace(microsecond=0)


def at(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, *rows: str) -> str:
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n")
        return str(path)

    return write


@pytest.fixture
def shop(run: Run, write) -> None:
    header = "sku,name,category,base_price,quantity,expiry_date"
    stock = write("stock.csv", header, "RYE,Rye,Bakery,3.49,20,2090-01-02")
    done = run("import", stock, "--as-of", at(5))
    assert done.returncode == 0, done.stderr


def units_in_stock(settings: Settings) -> int:
    async def fetch() -> int:
        connection = await asyncpg.connect(settings.require_database_url())
        try:
            return int(await connection.fetchval("SELECT sum(quantity) / 1000 FROM batches"))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_sales_are_imported_once_and_lower_the_stock(run: Run, shop: None, write, settings: Settings) -> None:
    sales = write(
        "sales.csv",
        "Receipt line,occurred_at,sku,quantity,unit_price,till",
        f"1-1,{at(4)},RYE,3,3.49,7",
        f"1-2,{at(3)},RYE,-1,3.49,7",
        f"2-1,{at(6)},RYE,5,3.49,7",
        f"2-2,{at(2)},RYE,many,3.49,7",
    )
    command = ["import", sales, "--kind", "sales", "--source", "till-7", "--map", "line_id=Receipt line"]
    done = run(*command, "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)["report"]
    assert (report["read"], report["recorded"], report["bad"]) == (4, 3, 1)
    assert report["already_counted"] == 1
    assert report["unused_columns"] == ["till"]
    again = run(*command)
    assert again.returncode == 3
    assert "'many' is not a number such as 3 or 0.250" in again.stdout
    assert json.loads(run(*command, "--json").stdout)["report"]["ignored"] == 3
    assert units_in_stock(settings) == 18


def test_a_rehearsal_writes_nothing(run: Run, shop: None, write, settings: Settings) -> None:
    sales = write("sales.csv", "source,line_id,occurred_at,sku,quantity", f"till,1,{at(1)},RYE,3")
    done = run("import", sales, "--kind", "sales", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "A rehearsal: nothing was written." in done.stdout
    assert units_in_stock(settings) == 20


def test_counts_and_deliveries_and_waste_are_imported(
    run: Run, shop: None, write, settings: Settings
) -> None:
    counts = write("counts.csv", "line_id,sku,quantity", "1,RYE,12")
    done = run("import", counts, "--kind", "counts", "--source", "scanner", "--as-of", at(3))
    assert done.returncode == 0, done.stdout + done.stderr
    deliveries = write(
        "deliveries.csv",
        "line_id,sku,quantity,occurred_at,expiry_date",
        f"1,RYE,4,{at(4)},2090-01-02",
        f"2,RYE,6,{at(2)},2090-01-02",
    )
    assert run("import", deliveries, "--kind", "deliveries", "--source", "erp").returncode == 0
    waste = write(
        "waste.ndjson", json.dumps({"line_id": 9, "sku": "RYE", "quantity": 1, "occurred_at": at(1)})
    )
    assert run("import", waste, "--kind", "waste", "--source", "scale").returncode == 0
    assert units_in_stock(settings) == 17


def test_a_count_without_an_instant_holds_at_its_receipt_and_counts_once(
    run: Run, shop: None, write, settings: Settings
) -> None:
    counts = write("counts.csv", "line_id,sku,quantity", "1,RYE,12")
    command = ["import", counts, "--kind", "counts", "--source", "scanner", "--json"]
    assert json.loads(run(*command).stdout)["report"]["recorded"] == 1
    assert json.loads(run(*command).stdout)["report"]["ignored"] == 1


def test_a_header_without_what_is_needed_names_it(run: Run, shop: None, write, settings: Settings) -> None:
    sales = write("sales.csv", "article,quantity,occurred_at", f"RYE,3,{at(1)}")
    done = run("import", sales, "--kind", "sales")
    assert done.returncode == 1
    assert "the file has no column for line_id, source, sku or gtin" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--source", "till"], "--source is for events"),
        (
            ["--kind", "sales", "--save-map", "tills"],
            "--save-map and --complete are for imports of stock",
        ),
        (["--as-of", "2026-03-31"], "must be an instant such as 2026-03-31T06:00:00+02:00"),
        (["--kind", "sales", "--format", "odoo"], "a file of events has no format 'odoo'"),
        (["--kind", "sales", "--map", "price=Price"], "there is no field 'price' of an event"),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Run, write, options: list[str], told: str) -> None:
    done = run("import", write("sales.csv", "sku,quantity", "RYE,1"), *options)
    assert done.returncode == 1
    assert told in done.stderr

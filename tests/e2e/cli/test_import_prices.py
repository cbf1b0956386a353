"""`flexiprice import --kind prices`: base prices by store and by day from a file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.commands import Run

HEADER = "sku,base_price,store,valid_from,valid_until\n"
STOCK = "sku,name,category,base_price,quantity,expiry_date\nRYE,Rye,Bakery,3.49,20,2031-01-02\n"


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    stock = tmp_path / "stock.csv"
    stock.write_text(STOCK)
    assert run("import", str(stock)).returncode == 0
    assert run("stores", "create", "station").returncode == 0
    return tmp_path / "prices.csv"


def test_prices_are_imported_and_shown_by_store(run: Run, shop: Path) -> None:
    next_week = datetime.now(UTC).date() + timedelta(days=7)
    shop.write_text(f"{HEADER}RYE,3.99,station,,\nRYE,2.99,,{next_week},\nCAKE,1.00,,,\n")
    done = run("import", str(shop), "--kind", "prices", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)["report"]
    assert (report["imported"], report["bad"], report["prices_new"]) == (2, 1, 2)
    shown = {
        store: json.loads(run("history", "RYE", "--store", store, "--json").stdout)["base_prices"][-1][
            "price"
        ]
        for store in ("main", "station")
    }
    assert shown == {"main": "3.49", "station": "3.99"}


def test_the_report_counts_prices_and_a_rehearsal_writes_none(run: Run, shop: Path) -> None:
    shop.write_text(f"{HEADER}RYE,3.99,station,,\n")
    rehearsed = run("import", str(shop), "--kind", "prices", "--dry-run")
    assert "A rehearsal: nothing was written." in rehearsed.stdout
    told = run("import", str(shop), "--kind", "prices").stdout
    assert "price list" in told
    assert run("audit", "--json").stdout.count("import_prices") == 1


def test_options_of_stock_are_refused(run: Run, shop: Path) -> None:
    shop.write_text(f"{HEADER}RYE,3.99,station,,\n")
    for option in (["--complete"], ["--save-map", "x"], ["--source", "erp"]):
        refused = run("import", str(shop), "--kind", "prices", *option)
        assert refused.returncode != 0
        assert option[0] in refused.stderr

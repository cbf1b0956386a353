"""`flexiprice scan` as a worker at the delivery door uses it."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.main import create_app
from flexiprice.domain.run import RunTrigger
from flexiprice.settings import Settings
from tests.support.commands import Command, on_queue
from tests.support.processes import flexiprice

GTIN = "04006381333931"
UNKNOWN = "96385074"
DATED = f"01{GTIN}17301231"
STOCK = f"""\
sku,name,category,base_price,quantity,expiry_date,gtin
RYE,Rye bread,Bakery,2.00,5,2030-12-31,{GTIN}
OAT,[b]Oats,Pantry,3.00,5,2030-12-31,
"""


@pytest.fixture
def shop(command: Command, tmp_path: Path) -> Command:
    """Commands on a shop with five breads, without a lot, that expire at the end of 2030."""
    (tmp_path / "stock.csv").write_text(STOCK)
    assert command("import", "stock.csv").exit_code == 0
    return command


def test_codes_are_recorded_one_line_each(shop: Command) -> None:
    done = shop("scan", GTIN, f"(01){GTIN}(17)310100(10)L-1(3103)001250", "--quantity", "12")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "1. RYE Rye bread in main, expires 2030-12-31: 5 → 17 in stock",
        "2. RYE Rye bread in main, lot L-1, expires 2031-01-31: new batch, 12 in stock, 1.250 kg",
        "2 scans recorded, 0 refused.",
    ]


def test_a_scanner_types_lines_and_its_separators_end_none(shop: Command) -> None:
    typed = f"]C1{DATED}10A\x1d21S\n\n  {DATED}\r\n{UNKNOWN}\nABC\x1b[31m\n"
    done = shop("scan", typed=typed)
    assert done.exit_code == 3
    first, second, third, fourth, last = done.stdout.splitlines()
    assert first == "1. RYE Rye bread in main, lot A, expires 2030-12-31: new batch, 1 in stock"
    assert second == "2. RYE Rye bread in main, expires 2030-12-31: 5 → 6 in stock"
    assert third.startswith(
        f"3. {UNKNOWN} refused: no product has the GTIN 000000{UNKNOWN}: add it to the gtins"
    )
    assert fourth.startswith("4. ABC\\u001b[31m refused: 'ABC")
    assert last == "2 scans recorded, 2 refused."
    assert "\x1b" not in done.stdout


def test_a_count_sets_the_stock_and_needs_its_quantity(shop: Command) -> None:
    done = shop("scan", "--set", "--quantity", "2", DATED)
    assert done.stdout == "1. RYE Rye bread in main, expires 2030-12-31: 5 → 2 in stock\n"
    refused = shop("scan", "--set", DATED)
    assert "--set needs the quantity that was counted" in str(refused.exception)
    assert shop("scan", "--quantity", "-1", DATED).exit_code == 2


def test_where_nothing_is_recorded_the_exit_code_says_so(shop: Command) -> None:
    done = shop("scan", UNKNOWN)
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 1)
    assert shop("scan", typed="").exit_code == 0


def test_an_unknown_store_ends_the_command_before_a_code_is_read(shop: Command) -> None:
    refused = shop("scan", DATED, "--store", "moon")
    assert str(refused.exception) == "there is no store 'moon'"
    assert refused.stdout == ""


def test_each_scan_enqueues_the_repricing_of_its_batch(shop: Command, settings: Settings) -> None:
    printed = json.loads(shop("scan", DATED, f"{DATED}10A", "--json").stdout)
    for scan in printed["scans"]:
        assert scan["repricing"]["status"] == "queued"
        task_id = scan["repricing"]["task_id"]
        job = on_queue(settings, lambda queue, task_id=task_id: queue.status(task_id))
        assert (job.task, job.source.trigger) == ("recompute_batches", RunTrigger.CLI)


def test_the_json_has_the_fields_of_the_api(shop: Command, settings: Settings) -> None:
    code = f"01{GTIN}7003301231123039220499"
    printed = json.loads(shop("scan", code, "4006381333932", "--json").stdout)
    assert (printed["recorded"], printed["bad"]) == (1, 1)
    good, bad = printed["scans"]
    schemas = create_app(settings).openapi()["components"]["schemas"]
    assert good.keys() - {"code"} == schemas["ScanOut"]["properties"].keys()
    assert good["batch"].keys() == schemas["BatchOut"]["properties"].keys()
    assert good["scan"] == {
        "gtin": GTIN,
        "lot": None,
        "serial": None,
        "best_before": None,
        "use_by": "2030-12-31",
        "use_by_time": "12:30:00",
        "weight": None,
        "price": "4.99",
        "count": None,
        "elements": {"01": GTIN, "7003": "3012311230", "3922": "0499"},
    }
    assert bad == {
        "code": "4006381333932",
        "error": {
            "code": "invalid_input",
            "message": "the GTIN '4006381333932' must end in its check digit 1, not in 2: a digit is wrong",
        },
    }


def test_the_audit_tells_recorded_and_refused_scans(shop: Command, told: Callable[..., Any]) -> None:
    shop("scan", DATED, f"]C1{UNKNOWN}\x1d")
    refused, recorded, _ = told("audit", "--json")
    assert (recorded["action"], recorded["target"]) == ("record_scan", "RYE in main, expires 2030-12-31")
    assert recorded["changes"] == {"quantity": {"old": "5", "new": "6"}}
    assert (refused["action"], refused["outcome"]) == ("record_scan", "refused")
    assert refused["target"] == f"]C1{UNKNOWN}\\u001d"
    assert "names no product" in refused["details"]["reason"]


def test_scans_are_kept_where_redis_is_away_and_that_is_said_once(
    shop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXIPRICE_REDIS_URL", "redis://127.0.0.1:9/0")
    done = shop("scan", DATED, DATED)
    assert done.exit_code == 0
    assert done.stderr.count("Not repriced yet") == 1
    assert "6 → 7 in stock" in done.stdout


def test_a_person_at_a_terminal_sees_each_result_at_once_and_ends_it(
    shop: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    terminal, inside = pty.openpty()
    program = subprocess.Popen(
        flexiprice("scan"),
        cwd=tmp_path,
        env=environment,
        stdin=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(inside)
    assert program.stderr is not None
    assert program.stdout is not None
    assert program.stderr.readline() == "Scan, or type a code and Enter; Ctrl-D ends.\n"
    for before in (5, 6):
        os.write(terminal, f"{DATED}\n".encode())
        assert f"{before} → {before + 1} in stock" in program.stdout.readline()
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=120)
    os.close(terminal)
    assert program.returncode not in {0, None}

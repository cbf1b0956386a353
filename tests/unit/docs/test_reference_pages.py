"""Generated pages of the manual agree with the code."""

from datetime import timedelta

import pytest
import typer

from flexiprice.cli.main import app
from flexiprice.metrics import Metrics
from flexiprice.settings import PREFIX, Settings
from tests.docs.cli_page import cli_page
from tests.docs.metrics_page import metrics_page
from tests.docs.reference import FOLDER, GENERATED
from tests.docs.settings_page import GROUPS, duration, settings_page


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_page_is_as_the_code_is(path: str) -> None:
    assert (FOLDER / path).read_text(encoding="utf-8") == GENERATED[path](), "run `make reference`"


def row_of(page: str, name: str) -> str:
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    return row


def test_every_setting_has_a_row_with_its_default_meaning_and_bounds() -> None:
    page = settings_page()
    for name, field in Settings.model_fields.items():
        row = row_of(page, f"{PREFIX}{name.upper()}")
        assert str(field.description)[1:] in row
    assert "| `30` |" in row_of(page, "FLEXIPRICE_DAYS_THRESHOLD")
    assert row_of(page, "FLEXIPRICE_DAYS_THRESHOLD").endswith(" 1 to 365. |")
    assert "`1800` (30 minutes)" in row_of(page, "FLEXIPRICE_TIME_LIMIT")
    assert row_of(page, "FLEXIPRICE_TIME_LIMIT").endswith(" 1 second to 1 day. |")
    assert row_of(page, "FLEXIPRICE_WORKER_QUEUES").endswith(" At least one. |")
    assert "| not set |" in row_of(page, "FLEXIPRICE_DATABASE_URL")


def test_every_group_of_settings_begins_with_a_setting() -> None:
    assert set(GROUPS) <= set(Settings.model_fields)
    assert next(iter(GROUPS)) == next(iter(Settings.model_fields))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (0.1, "100 milliseconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (86400, "1 day"),
    ],
)
def test_a_duration_is_said_in_its_largest_whole_unit(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


def test_every_command_has_a_heading_and_every_option_a_line() -> None:
    page = cli_page()
    root = typer.main.get_command(app)
    for name, command in root.commands.items():
        assert f"\n### flexiprice {name}\n" in page
        for below in getattr(command, "commands", {}):
            assert f"\n### flexiprice {name} {below}\n" in page
    assert "\n    flexiprice import [OPTIONS] {FILE}\n" in page
    assert "\n- `--decimal-comma`: Amounts are written" in page
    assert "--help`" not in page.partition("\n## ")[2]


def test_every_metric_of_a_process_has_a_row_with_its_labels() -> None:
    page = metrics_page()
    metrics = Metrics()
    for family in metrics.registry.collect():
        row_of(page, f"{family.name}_total" if family.type == "counter" else family.name)
    assert "| counter | `task`, `status` |" in row_of(page, "flexiprice_task_runs_total")
    assert "| gauge | `queue` |" in row_of(page, "flexiprice_queue_depth")
    assert "| gauge | `state` |" in row_of(page, "flexiprice_database_connections")
    assert "| gauge |  |" in row_of(page, "flexiprice_discounts_open")

"""The table of `make bench`: columns and limits; and the one of `tests.bench.against`."""

from io import StringIO

import pytest
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench.against import show
from tests.bench.comparison import Comparison
from tests.bench.limits import FIRST_RUN

ROUNDS = [0.002, 0.004, 1.5]


def comparison(name: str, batches: int = 10_000, *, limit: float = 2.0) -> Comparison:
    return Comparison(name, batches, limit, ours=ROUNDS, floor=[0.001, 0.0025, 0.003], note="seen")


def printed(monkeypatch: pytest.MonkeyPatch, *compared: Comparison) -> tuple[str, bool]:
    out = StringIO()
    monkeypatch.setattr(bench, "console", Console(file=out, width=180))
    holds = bench.show(compared, [], {10_000: 90.0})
    return out.getvalue(), holds


def test_the_shortest_and_the_longest_round_stand_beside_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    table, holds = printed(monkeypatch, comparison("first run"))
    row = next(line for line in table.splitlines() if "first run" in line)
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[3:7] == ["2.5", "1.0 to 3.0", "4.0", "2.0 to 1,500.0"]
    assert (cells[8], holds) == ("1.600", True)


def test_the_median_of_the_rounds_is_compared_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    _, holds = printed(monkeypatch, comparison("first run", limit=1.5))
    assert not holds


def test_two_checkouts_are_compared_by_their_medians() -> None:
    out = StringIO()
    Console(file=out, width=180).print(show(10_000, {"cleanup": ([3.0, 4.0, 50.0], [2.0, 2.0, 2.5])}))
    row = next(line for line in out.getvalue().splitlines() if "cleanup" in line)
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[2:7] == [
        "10,000",
        "2.0",
        "4.0",
        "2.000",
        "1.50 to 20.00",
    ]


def test_a_small_shop_has_a_limit_of_its_own() -> None:
    assert FIRST_RUN.at(10_000) > FIRST_RUN.at(100_000) == FIRST_RUN.at(1_000_000)

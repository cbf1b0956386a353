"""Log lines of programs that `flexiprice up` shows below its banner."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from flexiprice.cli.serve.log_tail import FollowedLog

TOLD = "2026-11-26T22:18:27.1Z [info     ] request                        [api] path=/x level=error"
DEBUGGED = "2026-11-26T22:18:27.1Z [debug    ] request                        [api]"
WARNED = "2026-11-26T22:18:27.1Z [warning  ] not_ready                      [api]"
FAILED = "2026-11-26T22:18:27.1Z [error    ] request_failed                 [api]"
TRACE = ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: [info] is no level"]
AS_JSON = ['{"level": "info", "message": "request"}', '{"level": "warning", "message": "not_ready"}']
NO_LINE_OF_OURS = ['{"level": ', '{"level": 3}', "[]", "Killed"]


def shown(log: Path, lines: list[str], *, everything: bool = False) -> list[str]:
    log.write_text("".join(f"{line}\n" for line in lines))
    written = io.StringIO()
    FollowedLog("api", log, everything=everything).show(Console(file=written, width=40))
    return [line.removeprefix("api ") for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([TOLD, WARNED, DEBUGGED, FAILED], [WARNED, FAILED]),
        ([FAILED, *TRACE, TOLD], [FAILED, *TRACE]),
        (AS_JSON, AS_JSON[1:]),
        (NO_LINE_OF_OURS, NO_LINE_OF_OURS),
    ],
)
def test_log_tail_shows_warnings_and_errors_only(
    lines: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert shown(tmp_path / "api.log", lines) == expected


def test_everything_is_shown_where_it_is_asked_for(tmp_path: Path) -> None:
    lines = [TOLD, WARNED, *TRACE, *AS_JSON]
    assert shown(tmp_path / "api.log", lines, everything=True) == lines


def test_a_line_is_shown_once_and_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text(f"{WARNED}\n{FAILED[:30]}")
    written = io.StringIO()
    followed, console = FollowedLog("api", log), Console(file=written, width=200)
    followed.show(console)
    log.write_text(f"{WARNED}\n{FAILED}\n")
    followed.show(console)
    followed.show(console)
    assert written.getvalue().splitlines() == [f"api {WARNED}", f"api {FAILED}"]

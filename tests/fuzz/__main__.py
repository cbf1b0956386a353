"""Fuzzes the whole API by its own description: `python -m tests.fuzz [options of schemathesis run]`.

The exit code is 1 where a check fails, an answer is not documented, or the API's log has an error in it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from flexiprice.embedded.servers import scratch_folder
from tests.fuzz.harness import KEY, FuzzedApi, fuzzed_api
from tests.support.servers import running_servers

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_USUAL: Final = ("--max-examples", "100")
_ROOT: Final = Path(__file__).parents[2]


def run(api: FuzzedApi, report: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs schemathesis against an API, with its report as JSON lines beside it."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    command += [f"{api.address}/openapi.json", "--header", f"X-API-Key: {KEY}"]
    command += ["--report", "json", "--report-json-path", str(report), *options]
    path = {"PYTHONPATH": str(_ROOT)}
    return subprocess.run(command, env={**os.environ, **path}, cwd=report.parent, text=True, check=False)


def errors_in(log: Path) -> list[dict[str, Any]]:
    """The unexpected errors in the API's log."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] in {"error", "critical"}]


def main(options: list[str]) -> int:
    """Fuzzes an API that is started for it; returns the exit code."""
    with scratch_folder() as folder, running_servers(os.environ) as urls:
        with fuzzed_api(urls, folder / "api") as api:
            done = run(api, folder / "report.json", *(options or _USUAL))
        errors = errors_in(api.log)
    for error in errors:
        sys.stderr.write(f"{error}\n")
    sys.stderr.write(f"errors in the API's log: {len(errors)}\n")
    return done.returncode or bool(errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

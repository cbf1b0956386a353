"""A small part of `python -m tests.fuzz`: a few requests to each operation of the API as it is served."""

import json
from pathlib import Path

from flexiprice.embedded.servers import ServerUrls
from tests.fuzz.__main__ import errors_in, run
from tests.fuzz.harness import fuzzed_api


def test_no_operation_answers_with_5xx_or_undocumented_responses(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    with fuzzed_api(ServerUrls(database_url, redis_url), tmp_path / "api") as api:
        done = run(api, report, "--phases", "examples,fuzzing", "--max-examples", "2", "--seed", "1")
    found = json.loads(report.read_text())
    assert found["failures"] == []
    assert found["errors"] == []
    assert done.returncode == 0
    assert found["operations"]["tested"] == found["operations"]["total"] > 50
    assert found["test_cases"]["generated"] > 100
    assert errors_in(api.log) == []

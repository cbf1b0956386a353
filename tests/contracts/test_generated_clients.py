"""Clients generated from `/openapi.json` are complete; the Python client does a day's work."""

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from api.main import create_app
from flexiprice.embedded.servers import ServerUrls
from flexiprice.settings import load_settings
from tests.fuzz.harness import KEY, fuzzed_api
from tests.support.external_tools import node_program, python, python_environment, run

pytestmark = pytest.mark.contracts

HERE = Path(__file__).parent
A_WARNING = re.compile(r"warn|skip|unsupported|not be generated|⚠", re.IGNORECASE)


def operation_ids(document: dict) -> list[str]:
    return [operation["operationId"] for item in document["paths"].values() for operation in item.values()]


def generate_python(document: Path, package: Path) -> str:
    generate = ["-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    return run(
        python(*generate, "--path", str(document), "--output-path", str(package)),
        cwd=document.parent,
        environment=python_environment(),
    )


def test_a_python_client_is_made_without_a_warning_and_used(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    document, package = tmp_path / "openapi.json", tmp_path / "shop_client"
    with fuzzed_api(ServerUrls(database_url, redis_url), tmp_path / "api") as api:
        document.write_text(httpx.get(f"{api.address}/openapi.json").text)
        told = generate_python(document, package)
        assert not A_WARNING.search(told), told
        modules = {path.stem for path in (package / "api").rglob("*.py")}
        assert set(operation_ids(json.loads(document.read_text()))) <= modules
        said = run(
            python(str(HERE / "use_python_client.py"), api.address, KEY),
            cwd=tmp_path,
            environment=python_environment(tmp_path),
        )
    told = json.loads(said.splitlines()[-1])
    assert told["products"] > 0
    assert told["batch"]["repricing"] == "queued"
    assert told["price"] == told["price_of_batch"]
    assert told["task"] == {"name": "recompute_all_discounts", "status": "succeeded", "same_id": True}
    assert told["uploaded"] == {"read": 2, "new": 1, "bad": [3, "expiry_date"], "repricing": "queued"}
    assert told["refused"] == "invalid_input"


def test_a_typescript_client_is_made_without_a_warning_and_compiles(tmp_path: Path) -> None:
    app = create_app(load_settings(env_files=(), database_url="postgresql://h/x", redis_url="redis://h"))
    document = app.openapi()
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    told = run([*node_program("openapi-typescript"), "openapi.json", "-o", "openapi.d.ts"], cwd=tmp_path)
    assert not A_WARNING.search(told), told
    types = (tmp_path / "openapi.d.ts").read_text()
    for name in operation_ids(document):
        assert f'operations["{name}"]' in types
    shutil.copy(HERE / "client.ts", tmp_path)
    run([*node_program("tsc"), "--noEmit", "--strict", "--target", "es2022", "client.ts"], cwd=tmp_path)

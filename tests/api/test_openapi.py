"""The description of the API tells all that is to know."""

import subprocess
import sys

import pytest

from tests.api.catalogue import ADMIN

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture
async def document(reader) -> dict:
    return (await reader.get("/openapi.json")).json()


def operations(document: dict):
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield f"{method} {path}", item[method]


def resolved(document: dict, schema: dict) -> dict:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


async def test_every_operation_has_a_tag_a_summary_a_description_and_its_problems(document):
    assert len(list(operations(document))) > 25
    for name, operation in operations(document):
        assert operation["tags"], name
        assert operation["summary"], name
        assert operation["description"], name
        if "/health/" in name:
            continue
        problems = {status for status in operation["responses"] if status >= "4"}
        assert {"422", "503"} <= problems, name
        assert ("401" in problems) == (ADMIN in name), name
        for status in problems:
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}, name


async def test_every_body_and_every_answer_has_an_example(document):
    def has_example(schema: dict) -> bool:
        schema = resolved(document, schema)
        if schema.keys() & {"example", "examples"}:
            return True
        if schema.get("type") == "array":
            return has_example(schema["items"])
        parts = schema.get("anyOf", [])
        known = [part for part in parts if part.get("type") != "null"]
        if known:
            return all(map(has_example, known))
        return schema.get("type") == "object" and any(map(has_example, schema["properties"].values()))

    for name, operation in operations(document):
        content = dict(operation.get("requestBody", {}).get("content", {}))
        for status, response in operation["responses"].items():
            content |= {f"{status} {kind}": media for kind, media in response.get("content", {}).items()}
        for kind, media in content.items():
            assert "example" in media or has_example(media["schema"]), (name, kind)


async def test_the_documentation_is_served(reader):
    assert (await reader.get("/docs")).status_code == 200


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "FLEXIPRICE_DATABASE_URL"),
        (
            {
                "FLEXIPRICE_DATABASE_URL": "postgresql://h/x",
                "FLEXIPRICE_REDIS_URL": "redis://h",
                "FLEXIPRICE_API_KEY": "x",
            },
            "FLEXIPRICE_API_KEY",
        ),
    ],
)
def test_a_server_with_a_setting_missing_or_wrong_stops_with_one_line_that_names_it(
    tmp_path, variables, named
):
    command = [sys.executable, "-m", "uvicorn", "api.main:app", "--port", "0"]
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2

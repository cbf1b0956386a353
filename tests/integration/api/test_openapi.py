"""The description of the API tells all that is to know."""

import re
import subprocess
import sys

import pytest

from api.schemas.glossary import GLOSSARY
from api.schemas.values import RequestModel, ResponseModel
from tests.support.catalogue import ADMIN

# As clients that were generated call them: a name that changes or goes breaks those clients.
OPERATION_IDS = """
    activate_policy
    change_batch
    change_product
    change_store
    create_batch
    create_policy
    create_product
    create_store
    delete_batch
    delete_price
    delete_product
    delete_store
    dismiss_dead_letters
    drain_worker
    get_active_policy
    get_batch
    get_liveness
    get_policy
    get_product
    get_product_price
    get_product_price_history
    get_readiness
    get_run
    get_service
    get_store
    get_task
    get_task_statistics
    get_task_status
    list_active_tasks
    list_audit_entries
    list_batches
    list_dead_letters
    list_discount_history
    list_discounts
    list_policies
    list_prices
    list_products
    list_queues
    list_registered_tasks
    list_runs
    list_scheduled_tasks
    list_schedules
    list_stores
    list_task_runs
    list_workers
    pause_queue
    pause_schedule
    preview_discounts
    purge_queue
    purge_tasks
    put_batches
    put_prices
    receive_events record_scan
    resume_queue
    resume_schedule
    retry_dead_letters
    retry_task
    retry_tasks
    revoke_task
    revoke_tasks
    roll_back_policy
    run_schedule
    run_task
    stop_worker
    stream_task_events
    trigger_recompute
"""
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
        if "/health/" in name or name == "get /":
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
            assert media.keys() & {"example", "examples"} or has_example(media["schema"]), (name, kind)


async def test_operation_ids_are_stable(document):
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert sorted(ids) == OPERATION_IDS.split()


async def test_every_property_and_every_parameter_says_what_it_means(document):
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, shown in schema.get("properties", {}).items()
        if not shown.get("description")
    ]
    silent += [
        f"{name} {parameter['name']}"
        for name, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert silent == []


async def test_every_word_of_the_glossary_names_a_field(document):
    fields = {
        field
        for schema in document["components"]["schemas"].values()
        for field in schema.get("properties", {})
    }
    assert GLOSSARY.keys() <= fields


async def test_the_api_says_task_id_and_status_and_never_job_id_or_state(document):
    words = {
        field
        for schema in document["components"]["schemas"].values()
        for field in schema.get("properties", {})
    }
    words |= {
        parameter["name"]
        for _, operation in operations(document)
        for parameter in operation.get("parameters", [])
    }
    assert {"task_id", "status", "by_status"} <= words
    assert not [word for word in words if re.search(r"job|state", word)]


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


def test_every_model_of_responses_ends_in_out_and_no_other_does():
    def below(model: type) -> set[type]:
        return {each for child in model.__subclasses__() for each in (child, *below(child))}

    responses = {model.__name__ for model in below(ResponseModel)}
    requests = {model.__name__ for model in below(RequestModel)}
    assert {"StoreOut"} <= responses
    assert {"StoreCreate", "StoreUpdate"} <= requests
    assert all(name.endswith("Out") for name in responses)
    assert not any(name.endswith("Out") for name in requests)

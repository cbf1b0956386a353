"""The description of the API: what every operation can answer besides success."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from api.problems import MEDIA_TYPE
from api.schemas.glossary import GLOSSARY
from api.schemas.problem import Problem
from api.security.scopes import needed_scope

_MEANING: Final = {
    400: "The request has two different API keys.",
    401: "The API key is missing or wrong.",
    403: "The API key has not the scope that this needs.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It contradicts what is there.",
    413: "The body is too large.",
    415: "The body is of a type that is not understood here.",
    422: "A value cannot be used; `errors` names each with its reason.",
    429: "Too many wrong keys came from the client's address; `Retry-After` says when to try again.",
    503: "The database or Redis does not answer; `Retry-After` says when to try again.",
}
# As FastAPI calls the two ways in which a key may come.
_SCHEMES: Final = ("HTTPBearer", "APIKeyHeader")
Responses = dict[int | str, dict[str, Any]]

TAGS: Final = [
    {"name": "prices", "description": "What products cost, now and before."},
    {"name": "discounts", "description": "Discounts in force, their history, and recomputing them."},
    {"name": "policies", "description": "Versions of the rules by which discounts are made."},
    {"name": "batches", "description": "Stock that expires."},
    {"name": "products", "description": "What is sold."},
    {"name": "stores", "description": "Where it is sold."},
    {"name": "tasks", "description": "Running, watching and stopping tasks, and what has run."},
    {"name": "queues", "description": "How much waits, and whether workers take it."},
    {"name": "schedules", "description": "When tasks run by themselves."},
    {"name": "workers", "description": "Who works."},
    {"name": "audit", "description": "Who changed what."},
    {"name": "health", "description": "For load balancers and monitoring."},
]
DESCRIPTION: Final = """
Prices perishable goods by how soon they expire.

* **Amounts** are strings with two decimals (`"1.50"`), **rates** strings with four (`"0.2500"`): read them
  as decimals, not as floats. Amounts that are sent may be strings or numbers.
* **Instants** are ISO 8601 in UTC; **dates** are those of the store's own calendar.
* **Lists** come in pages: ask for the next with `cursor=` the `next_cursor` of the last, until it is null.
* **Errors** are `application/problem+json` (RFC 9457); `code` is made for programs, and every value at fault
  stands in `errors` with its field and reason. Every answer has an `X-Request-ID`.
* Everything under `/admin` wants an API key, as `Authorization: Bearer …` or `X-API-Key`: the server's
  `FLEXIPRICE_API_KEY`, or one made by `flexiprice keys create`. A key has a set of scopes: `read` looks,
  `prices` changes stock, policies and prices, `admin` does everything, and operates tasks, queues and
  workers. None contains another, but `admin` all; each operation says which one it needs.
"""


def problems(*statuses: int) -> Responses:
    """The problems that an operation can answer with, as FastAPI's `responses`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {_MEANING[status]}",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({*statuses, 422})
    }


def operation_id(route: APIRoute) -> str:
    """The id of an operation: what the audit calls its changes, and a generated client its method."""
    return route.name


def _explain(document: dict[str, Any]) -> None:
    """Says of each property what it means, where its schema does not say it."""
    for schema in document["components"]["schemas"].values():
        for name, shown in schema.get("properties", {}).items():
            if "description" not in shown and name in GLOSSARY:
                shown["description"] = GLOSSARY[name]


def _complete(document: dict[str, Any]) -> None:
    """Adds what follows from the kind of an operation, so that no endpoint needs to say it."""
    for item in document["paths"].values():
        for method, operation in item.items():
            statuses: set[int] = set()
            needed = needed_scope([method.upper()], operation["tags"])
            if needed is not None:
                operation["security"] = [{scheme: [needed.value]} for scheme in _SCHEMES]
                operation["description"] += f"\n\nScope: `{needed}`."
                statuses |= {400, 403, 429}
            if "requestBody" in operation:
                statuses |= {408, 413, 415}
            told: dict[str, Any] = {str(status): told for status, told in problems(*statuses).items()}
            operation["responses"] = dict(sorted({**told, **operation["responses"]}.items()))


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the schema of problems that no endpoint returns by itself."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        _, schemas = models_json_schema(
            [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(schemas["$defs"])
        _complete(document)
        _explain(document)
        app.openapi_schema = document
    return app.openapi_schema

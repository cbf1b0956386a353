"""Builds the OpenAPI document, and completes it with problems, scopes and descriptions of properties."""

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

_DESCRIPTIONS: Final = {
    400: "The request has two different API keys.",
    401: "The API key is missing or wrong.",
    403: "The API key lacks the required scope.",
    404: "The object does not exist.",
    408: "The body was sent too slowly.",
    409: "The change contradicts existing data.",
    413: "The body is too large.",
    415: "The body's media type is not supported.",
    422: "A value is invalid; `errors` names each with its reason.",
    429: "Too many wrong keys came from the client's address; `Retry-After` has the seconds to wait.",
    503: "The database or Redis is unavailable; `Retry-After` has the seconds to wait.",
}
# FastAPI's names of the two security schemes.
_SCHEMES: Final = ("HTTPBearer", "APIKeyHeader")
Responses = dict[int | str, dict[str, Any]]

TAGS: Final = [
    {"name": "prices", "description": "Current and past prices of products."},
    {"name": "discounts", "description": "Discounts in force, their history, and recomputes."},
    {"name": "policies", "description": "Versions of the pricing policy."},
    {"name": "batches", "description": "Batches of stock, each with an expiry date."},
    {"name": "scans", "description": "Scans of barcodes, which find or make batches."},
    {"name": "events", "description": "Sales, waste, counts and deliveries, which move stock."},
    {"name": "products", "description": "Products and their base prices."},
    {"name": "price-list", "description": "Base prices by store and day."},
    {"name": "stores", "description": "Stores and their time zones."},
    {
        "name": "tasks",
        "description": "Enqueueing, following, retrying and revoking tasks; run history.",
    },
    {"name": "queues", "description": "Sizes of queues; pausing, resuming and purging them."},
    {"name": "schedules", "description": "Periodic tasks; pausing, resuming and running them."},
    {"name": "workers", "description": "Live workers; draining and stopping them."},
    {"name": "audit", "description": "The audit log of all changes."},
    {"name": "health", "description": "Liveness and readiness, for load balancers and monitoring."},
]
DESCRIPTION: Final = """
Prices perishable goods by how soon they expire.

* **Amounts** are strings with two decimals (`"1.50"`), **rates** strings with four (`"0.2500"`): read them
  as decimals, not as floats. Requests may contain amounts as strings or numbers.
* **Instants** are ISO 8601 in UTC; **dates** are in the store's own calendar.
* **Lists** are paginated: request the next page with `cursor=` the `next_cursor` of the last, until it is
  null.
* **Tasks** are identified by a `task_id`; the code, its logs and its traces call the same id the *job id*.
* **Errors** are `application/problem+json` (RFC 9457). `code` is for programs, and `errors` lists every
  invalid value with its field and reason. Every response has an `X-Request-ID`.
* Everything under `/admin` requires an API key, as `Authorization: Bearer …` or `X-API-Key`: the server's
  `FLEXIPRICE_API_KEY`, or one made by `flexiprice keys create`. A key has a set of scopes: `read` only
  reads, `prices` changes stock, policies and prices, `admin` does everything, and operates tasks, queues
  and workers. `admin` includes the other two, which do not include each other. Each operation names the
  scope that it requires.
"""


def problems(*statuses: int) -> Responses:
    """Describes the problems of an operation, as FastAPI's `responses`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {_DESCRIPTIONS[status]}",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({*statuses, 422})
    }


def operation_id(route: APIRoute) -> str:
    """Returns the id of an operation: the action in the audit log, and the method of a generated client."""
    return route.name


def _explain(document: dict[str, Any]) -> None:
    """Adds the glossary's description to each property that has none."""
    for schema in document["components"]["schemas"].values():
        for name, shown in schema.get("properties", {}).items():
            if "description" not in shown and name in GLOSSARY:
                shown["description"] = GLOSSARY[name]


def _complete(document: dict[str, Any]) -> None:
    """Adds the security requirements and problems that follow from the kind of an operation."""
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
            implied: dict[str, Any] = {str(status): shown for status, shown in problems(*statuses).items()}
            operation["responses"] = dict(sorted({**implied, **operation["responses"]}.items()))


def describe(app: FastAPI) -> dict[str, Any]:
    """Builds the OpenAPI document, with the schema of problems, which no endpoint returns by itself."""
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

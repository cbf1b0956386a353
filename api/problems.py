"""Maps errors to `application/problem+json` responses (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from api.schemas.problem import FieldError, Problem
from api.urls import route_path
from flexiprice.db.sqlstate import BAD_VALUE, sqlstate_of
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import FlexiPriceError, InvalidPolicy, TooManyWrongKeys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.telemetry import get_logger

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5
_MAX_TEXT: Final = 2000
_MAX_ERRORS: Final = 1000

STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_input": 422,
    "invalid_policy": 422,
    "not_found": 404,
    "conflict": 409,
    "unavailable": 503,
    "database_unavailable": 503,
    "database_busy": 503,
    "not_migrated": 503,
    "redis_unavailable": 503,
    "queue_full": 503,
    "too_many_requests": 429,
    # Raised while serving if a server rejects the configuration: the operator's fault, not the client's.
    "invalid_settings": 503,
}
_CODE_OF: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
    429: "too_many_requests",
}
# RFC 9110 renamed these; fixed here because Python's names depend on its version.
_TITLE_OF: Final[Mapping[int, str]] = {413: "Content Too Large", 422: "Unprocessable Content"}
_LOGGER = get_logger(__name__)


class ProblemResponse(Response):
    """A problem response, with the request id that the log lines carry."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        problem = Problem(
            title=_TITLE_OF.get(status) or HTTPStatus(status).phrase,
            status=status,
            code=code,
            detail=sanitized(detail),
            request_id=structlog.contextvars.get_contextvars().get("request_id"),
            errors=[_sanitized_error(error) for error in errors[:_MAX_ERRORS]] or None,
        )
        extra = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        content = json.dumps(problem.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
        super().__init__(content, status_code=status, headers={**extra, **(headers or {})})


def sanitized(text: str) -> str:
    """Makes a text from outside safe for a response: valid UTF-8, and of bounded length."""
    return text.encode(errors="backslashreplace").decode()[:_MAX_TEXT]


def _sanitized_error(error: FieldError) -> FieldError:
    field = None if error.field is None else sanitized(error.field)
    return FieldError(line=error.line, field=field, reason=sanitized(error.reason))


def install_problem_handlers(app: FastAPI) -> None:
    """Maps errors of endpoints to problems; `RequestContext` handles unexpected ones."""
    for kind in (FlexiPriceError, RequestValidationError, HTTPException, DBAPIError, RedisError):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        raise error
    if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names only the methods of the first route with this path.
        problem.headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return problem


def _methods_at(request: Request) -> set[str]:
    app: FastAPI = request.app
    path = route_path(request.scope)
    # A literal path has only its own documented methods, even if a path with a placeholder matches it too.
    # HEAD is never documented.
    documented = app.openapi()["paths"].get(path)
    candidates = HTTPMethod if documented is None else [HTTPMethod.HEAD]
    return {method.upper() for method in documented or ()} | {
        method.value
        for method in candidates
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    }


def problem_of(error: Exception) -> ProblemResponse | None:
    """Maps an error to a problem; None for an unexpected error."""
    match error:
        case FlexiPriceError():
            return _flexiprice_problem(error)
        case RequestValidationError():
            return invalid_fields(error.errors())
        case HTTPException():
            code = _CODE_OF.get(error.status_code, "error")
            return ProblemResponse(error.status_code, code, str(error.detail), headers=error.headers)
        case DBAPIError():
            return _database_problem(error)
        case RedisError():
            return _redis_problem(error)
        case _:
            return None


def unexpected_problem() -> ProblemResponse:
    """Makes the response to an unexpected error, which reveals nothing but the request id."""
    detail = "unexpected error; the server's log has the details under the request id"
    return ProblemResponse(500, "internal_error", detail)


def _flexiprice_problem(error: FlexiPriceError) -> ProblemResponse | None:
    status = STATUS_OF.get(error.code)
    if status is None:
        return None
    if error.code == "invalid_settings":
        _LOGGER.error("misconfigured", reason=error.message)
        return ProblemResponse(status, error.code, "the server is misconfigured; its log has the reason")
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyWrongKeys) else None
    return ProblemResponse(status, error.code, error.message, errors=_fields_of(error), headers=headers)


def _fields_of(error: FlexiPriceError) -> list[FieldError]:
    if isinstance(error, InvalidPolicy):
        return [FieldError(field=problem.path, reason=problem.reason) for problem in error.problems]
    field = error.details.get("field")
    return [FieldError(field=str(field), reason=error.message)] if field else []


def invalid_fields(found: Iterable[Mapping[str, Any]]) -> ProblemResponse:
    """Makes the problem for pydantic's errors; their locations begin with `body`, `query` and the like."""
    errors = [_field_error(details) for details in found]
    detail = "; ".join(f"{error.field}: {error.reason}" for error in errors[:5])
    return ProblemResponse(422, "invalid_input", detail, errors=errors)


def _field_error(details: Mapping[str, Any]) -> FieldError:
    if details["type"] == "json_invalid":
        return FieldError(field="body", reason=f"is not JSON: {details['ctx']['error']}")
    source, *path = [str(step) for step in details["loc"]]
    return FieldError(field=".".join(path) or source, reason=reason_of(details))


def _redis_problem(error: RedisError) -> ProblemResponse | None:
    # A fallback for calls outside `redis_errors`.
    try:
        with redis_errors():
            raise error
    except FlexiPriceError as known:
        return _flexiprice_problem(known)
    except RedisError:
        return None


def _database_problem(error: DBAPIError) -> ProblemResponse | None:
    if sqlstate_of(error.orig).startswith(BAD_VALUE):
        # A fallback for values that passed the checks of fields: still the client's fault.
        _LOGGER.warning("value_refused_by_database", reason=str(error.orig))
        return ProblemResponse(422, "invalid_input", "a value cannot be stored")
    return None

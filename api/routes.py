"""How a request is read before an endpoint sees it: bounded, exact, and without a parameter unread."""

import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from decimal import Decimal
from typing import Any, ClassVar, Final

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

MAX_BODY_BYTES: Final = 1_048_576


class ApiRoute(APIRoute):
    """A route that refuses bodies that are too large or no JSON, and query parameters it does not have."""

    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps what FastAPI makes of the endpoint."""
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = {field.alias for field in fields if isinstance(field.field_info, Query)}
        takes_json = self.body_field is not None
        max_bytes = self.max_body_bytes

        async def handle_checked(request: Request) -> Response:
            _refuse_unknown_parameters(request, known)
            if takes_json:
                _require_json(request)
            checked = _CheckedRequest(request.scope, request.receive)
            checked.max_bytes = max_bytes
            return await handle(checked)

        return handle_checked


class _CheckedRequest(Request):
    """Ends reading where the body is too large, and reads JSON without a float in between."""

    max_bytes: int

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body, chunk by chunk."""
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            if size > self.max_bytes:
                raise HTTPException(413, f"the body has more than {self.max_bytes} bytes")
            yield chunk

    async def json(self) -> object:
        """The body as JSON; amounts are decimals, as they were written."""
        body = await self.body()
        try:
            return json.loads(
                body,
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_without_duplicates,
            )
        except json.JSONDecodeError:
            raise
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise json.JSONDecodeError(str(error) or "a number is out of range", "", 0) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name is there twice in one object")
    return names


def _refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    # A misspelt parameter would silently leave the one that was meant at its default.
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        reason = f"there is no such parameter; there are {', '.join(sorted(known)) or 'none'}"
        raise RequestValidationError(
            [{"type": "unknown_parameter", "loc": ("query", name), "msg": reason} for name in unknown]
        )


def _require_json(request: Request) -> None:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    subtype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and not (subtype == "application/json" or subtype.endswith("+json")):
        raise HTTPException(415, "send the body as `Content-Type: application/json`")

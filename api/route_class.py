"""Route class that checks scope, query parameters and body before an endpoint runs."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.security.scopes import needed_scope, require_scope
from flexiprice.resources import Resources
from flexiprice.settings import Settings

# Ends the connection: the rest of a rejected body is not worth reading.
_CLOSE: Final = {"Connection": "close"}


class ProblemRoute(APIRoute):
    """A route that requires its scope, and rejects invalid requests.

    It rejects a body that is too large, too slow or not JSON, and unknown query parameters.
    """

    takes_uploads: ClassVar[bool] = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps FastAPI's handler of the endpoint."""
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        known = {field.alias for field in fields if isinstance(field.field_info, Query)}
        takes_json = self.body_field is not None
        needed = needed_scope(self.methods or (), map(str, self.tags))
        checked_request = _UploadRequest if self.takes_uploads else _CheckedRequest

        async def handle_checked(request: Request) -> Response:
            require_scope(request.scope, needed)
            _refuse_unknown_parameters(request, known)
            if takes_json:
                _require_json(request)
            return await handle(checked_request(request.scope, request.receive))

        return handle_checked


class UploadRoute(ProblemRoute):
    """A route whose bodies are buffered in a file instead of memory, so they may be long."""

    takes_uploads = True


class _CheckedRequest(Request):
    """A request whose body is bounded in size and time, and whose JSON numbers are decimals, not floats."""

    _timeout_per_chunk: ClassVar[bool] = False

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yields the body chunk by chunk."""
        most = self._max_bytes()
        size = 0
        chunks = super().stream()
        deadline = self._deadline()
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise HTTPException(408, "the body was sent too slowly", headers=_CLOSE) from None
            if chunk is None:
                return
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            yield chunk
            if self._timeout_per_chunk:
                deadline = self._deadline()

    def _max_bytes(self) -> int:
        return self._settings.max_body_bytes

    def _deadline(self) -> float:
        timeout: timedelta = self._settings.body_timeout
        return asyncio.get_running_loop().time() + timeout.total_seconds()

    @property
    def _settings(self) -> Settings:
        resources: Resources = self.app.state.resources
        return resources.settings

    async def json(self) -> object:
        """Parses the body as JSON; numbers with a fraction become decimals."""
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


class _UploadRequest(_CheckedRequest):
    """A request whose body is streamed, so that it may be long; the time limit applies to each chunk."""

    _timeout_per_chunk = True

    def _max_bytes(self) -> int:
        return self._settings.max_upload_bytes


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body has more than {most} bytes", headers=_CLOSE)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("an object has the same name twice")
    return names


def _refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    # A misspelt parameter would silently leave the intended one at its default.
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        reason = f"unknown parameter; known parameters: {', '.join(sorted(known)) or 'none'}"
        raise RequestValidationError(
            [{"type": "unknown_parameter", "loc": ("query", name), "msg": reason} for name in unknown]
        )


def _require_json(request: Request) -> None:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    subtype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and not (subtype == "application/json" or subtype.endswith("+json")):
        raise HTTPException(415, "send the body as `Content-Type: application/json`")

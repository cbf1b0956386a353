"""Distributed tracing: a request, the job that it enqueues, and that job's run are spans of one trace.

Enabled by OpenTelemetry's own variables. Without them, OpenTelemetry is not imported, and a span costs one
function call. Spans contain names and numbers of FlexiPrice; never task arguments, addresses, SQL statements
or error messages.
"""

import asyncio
import os
import re
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from enum import StrEnum
from typing import Final, Protocol

from flexiprice.telemetry import get_logger

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# Format of W3C Trace Context: version, trace id, span id, flags. An id of zeroes is invalid.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
# Time limit for sending the last spans when a program ends.
_SHUTDOWN_SECONDS: Final = 3.0

_LOGGER = get_logger(__name__)


class SpanKind(StrEnum):
    """Kinds of spans: serving a request, enqueueing a job, running a job."""

    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """An open span."""

    @property
    def traceparent(self) -> str | None:
        """Context that makes a span of any process a child of this one; None if tracing is disabled."""
        ...

    def name(self, name: str) -> None:
        """Sets the name, if it was unknown at the start."""
        ...

    def set_attribute(self, name: str, value: str | int) -> None:
        """Sets an attribute."""
        ...

    def fail(self, code: str) -> None:
        """Marks the span as failed; `code` is the error's code, never its message."""
        ...


class Tracer(Protocol):
    """Makes spans and sends them."""

    def span(
        self, kind: SpanKind, name: str, parent: str | None, facts: Mapping[str, str | int]
    ) -> AbstractContextManager[Span]:
        """Opens a span for as long as the context lasts."""
        ...

    def shutdown(self) -> None:
        """Sends the remaining spans."""
        ...


class _Untraced:
    """A span that records nothing, for programs without tracing."""

    traceparent: str | None = None

    def name(self, name: str) -> None:
        """Does nothing."""

    def set_attribute(self, name: str, value: str | int) -> None:
        """Does nothing."""

    def fail(self, code: str) -> None:
        """Does nothing."""


_UNTRACED: Final[AbstractContextManager[Span]] = nullcontext(_Untraced())
_tracers: Final[list[Tracer]] = []


def is_enabled(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's variables enable traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in {"", "otlp"}:
        return False
    return any(environment.get(name) for name in _ENDPOINTS)


def readable_traceparent(text: str | None) -> str | None:
    """Returns the text if it is a valid traceparent, otherwise None."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def span(
    kind: SpanKind, name: str, *, parent: str | None = None, **facts: str | int
) -> AbstractContextManager[Span]:
    """Opens a span for as long as the context lasts, as a child of `parent` or of the current span.

    Args:
        kind: kind of the span.
        name: name of low cardinality: a task's or a route's, never an object's.
        parent: traceparent of a span of another process; an invalid one is ignored.
        **facts: attributes known at the start.
    """
    if not _tracers:
        return _UNTRACED
    return _tracers[-1].span(kind, name, readable_traceparent(parent), facts)


@asynccontextmanager
async def tracing(program: str) -> AsyncGenerator[None]:
    """Enables tracing while the context lasts, if OpenTelemetry's variables ask for it.

    Args:
        program: name of the service, unless `OTEL_SERVICE_NAME` is set.
    """
    tracer = _make_tracer(program) if is_enabled() else None
    if tracer is None:
        yield
        return
    _tracers.append(tracer)
    try:
        yield
    finally:
        _tracers.remove(tracer)
        # With an unreachable receiver, shutdown would block for as long as the exporter's own timeouts.
        shutdown = threading.Thread(target=tracer.shutdown, name="last spans", daemon=True)
        shutdown.start()
        await asyncio.to_thread(shutdown.join, _SHUTDOWN_SECONDS)


def _make_tracer(program: str) -> Tracer | None:
    try:
        from flexiprice.otel import OpenTelemetry  # noqa: PLC0415 -- only if traces are enabled
    except ImportError as error:
        missing = error.name or "opentelemetry"
        _LOGGER.warning("traces_off", missing=missing, advice="pip install 'flexiprice[otel]'")
        return None
    return OpenTelemetry(program)

"""Traces of what happens: a request, the job that it enqueues, and that job's run, in one tree of spans.

They are made by OpenTelemetry where its own variables say where to send them, and not otherwise: then nothing
of it is imported, and a span costs a call. A span holds names and numbers of ours; no argument of a task, no
address, no statement and no message of an error.
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
# As W3C's Trace Context has it: version, trace, span, flags; an id of zeroes is none.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
# A program that ends waits no longer for its last spans to be sent.
_LAST_SPANS_SECONDS: Final = 3.0

_log = get_logger(__name__)


class SpanKind(StrEnum):
    """What a span is of: an answer to a request, a job put into its queue, a run of a job."""

    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str | None:
        """What makes another span, in whatever process, a child of this one; None where nothing is traced."""
        ...

    def name(self, name: str) -> None:
        """Names it, where that was not known when it began."""
        ...

    def tell(self, name: str, value: str | int) -> None:
        """Says something of it."""
        ...

    def fail(self, code: str) -> None:
        """Says that what it is of failed; `code` is the error's code, never its message."""
        ...


class Tracer(Protocol):
    """Makes spans and sends them."""

    def span(
        self, kind: SpanKind, name: str, parent: str | None, facts: Mapping[str, str | int]
    ) -> AbstractContextManager[Span]:
        """A span that lasts as long as the context."""
        ...

    def shutdown(self) -> None:
        """Sends what is left."""
        ...


class _Untraced:
    """A span of a program that traces nothing."""

    traceparent: str | None = None

    def name(self, name: str) -> None:
        """Nobody reads it."""

    def tell(self, name: str, value: str | int) -> None:
        """Nobody reads it."""

    def fail(self, code: str) -> None:
        """Nobody reads it."""


_UNTRACED: Final[AbstractContextManager[Span]] = nullcontext(_Untraced())
_tracers: Final[list[Tracer]] = []


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in {"", "otlp"}:
        return False
    return any(environment.get(name) for name in _ENDPOINTS)


def readable_traceparent(text: str | None) -> str | None:
    """The text where it is a traceparent; None where it is anything else, which is no parent at all."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def span(
    kind: SpanKind, name: str, *, parent: str | None = None, **facts: str | int
) -> AbstractContextManager[Span]:
    """A span that lasts as long as the context, below `parent` or else below the one that is open here.

    Args:
        kind: what it is of.
        name: few different ones: of a task or a route, never of a thing.
        parent: the traceparent of a span of another process; one that cannot be read counts as none.
        **facts: what is known of it at the start.
    """
    if not _tracers:
        return _UNTRACED
    return _tracers[-1].span(kind, name, readable_traceparent(parent), facts)


@asynccontextmanager
async def tracing(program: str) -> AsyncGenerator[None]:
    """Sends spans while the context lasts, where that is wanted.

    Args:
        program: how it is called among the services, unless `OTEL_SERVICE_NAME` says otherwise.
    """
    tracer = _make_tracer(program) if is_wanted() else None
    if tracer is None:
        yield
        return
    _tracers.append(tracer)
    try:
        yield
    finally:
        _tracers.remove(tracer)
        # A receiver that is away would hold the program back for as long as its own timeouts last.
        last = threading.Thread(target=tracer.shutdown, name="last spans", daemon=True)
        last.start()
        await asyncio.to_thread(last.join, _LAST_SPANS_SECONDS)


def _make_tracer(program: str) -> Tracer | None:
    try:
        from flexiprice.otel import OpenTelemetry  # noqa: PLC0415 -- only where traces are wanted
    except ImportError as error:
        missing = error.name or "opentelemetry"
        _log.warning("traces_off", missing=missing, advice="pip install 'flexiprice[otel]'")
        return None
    return OpenTelemetry(program)

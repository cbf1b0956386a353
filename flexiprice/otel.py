"""Spans by OpenTelemetry, sent by OTLP over HTTP; imported by `tracing` where that is wanted.

Where to, with which headers, how many and how often is said by OpenTelemetry's own variables (`OTEL_…`).
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OpenSpan

from flexiprice.errors import code_of


class OpenTelemetry:
    """A `tracing.Tracer` of this process, beside whatever else in it uses OpenTelemetry."""

    def __init__(self, program: str) -> None:
        """Begins to send, from a thread of its own."""
        service = os.environ.get("OTEL_SERVICE_NAME") or program
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("flexiprice")})
        # At exit, too, it would wait for a receiver that is away; `tracing` ends it in time.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("flexiprice")

    @contextmanager
    def span(
        self, kind: str, name: str, parent: str | None, facts: Mapping[str, str | int]
    ) -> Generator["_OpenSpan"]:
        """As `tracing.Tracer` has it."""
        context = None if parent is None else set_span_in_context(NonRecordingSpan(_remote(parent)))
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=SpanKind[kind.upper()],
            attributes=facts,
            # What an exception says may be about anything; its code is told below.
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            traced = _OpenSpan(opened)
            try:
                yield traced
            except Exception as error:
                traced.fail(code_of(error))
                raise

    def shutdown(self) -> None:
        """As `tracing.Tracer` has it."""
        self._provider.shutdown()


class _OpenSpan:
    """A `tracing.Span`."""

    def __init__(self, opened: OpenSpan) -> None:
        self._opened = opened

    @property
    def traceparent(self) -> str | None:
        """Its place in its trace, as W3C's Trace Context writes it."""
        place = self._opened.get_span_context()
        return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"

    def name(self, name: str) -> None:
        """Names it."""
        self._opened.update_name(name)

    def tell(self, name: str, value: str | int) -> None:
        """Sets an attribute."""
        self._opened.set_attribute(name, value)

    def fail(self, code: str) -> None:
        """Sets its status, and the attribute that OpenTelemetry has for the kind of an error."""
        self._opened.set_attribute("error.type", code)
        self._opened.set_status(Status(StatusCode.ERROR))


def _remote(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )

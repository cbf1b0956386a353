"""Exports spans by OpenTelemetry's OTLP over HTTP; `tracing` imports this only if traces are enabled.

OpenTelemetry's own variables (`OTEL_…`) set endpoint, headers, sampling and batching.
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
    """A `tracing.Tracer` with a provider of its own, separate from other users of OpenTelemetry."""

    def __init__(self, program: str) -> None:
        """Starts the exporter's thread."""
        service = os.environ.get("OTEL_SERVICE_NAME") or program
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("flexiprice")})
        # At exit it would wait for an unreachable receiver; `tracing` shuts it down with a timeout.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("flexiprice")

    @contextmanager
    def span(
        self, kind: str, name: str, parent: str | None, facts: Mapping[str, str | int]
    ) -> Generator["_OpenSpan"]:
        """Opens a span; see `tracing.Tracer`."""
        context = None if parent is None else set_span_in_context(NonRecordingSpan(_remote(parent)))
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=SpanKind[kind.upper()],
            attributes=facts,
            # The message of an exception may contain secrets; `fail` below records only its code.
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
        """Sends the remaining spans; see `tracing.Tracer`."""
        self._provider.shutdown()


class _OpenSpan:
    """A `tracing.Span`."""

    def __init__(self, opened: OpenSpan) -> None:
        self._opened = opened

    @property
    def traceparent(self) -> str | None:
        """The span's context in the format of W3C Trace Context."""
        context = self._opened.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def name(self, name: str) -> None:
        """Sets the span's name."""
        self._opened.update_name(name)

    def set_attribute(self, name: str, value: str | int) -> None:
        """Sets an attribute."""
        self._opened.set_attribute(name, value)

    def fail(self, code: str) -> None:
        """Sets the status to error, and OpenTelemetry's attribute `error.type`."""
        self._opened.set_attribute("error.type", code)
        self._opened.set_status(Status(StatusCode.ERROR))


def _remote(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )

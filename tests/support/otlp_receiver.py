"""A receiver of OpenTelemetry's spans, as a collector is one: OTLP over HTTP, in protobuf."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it arrived.

    Attributes:
        service: the program that sent it.
        name: its own.
        kind: `SERVER`, `PRODUCER`, `CONSUMER`.
        trace_id: of its trace.
        span_id: its own.
        parent_id: of the span that it is below; empty where it is the first.
        failed: its status is an error.
        facts: its attributes.
    """

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    facts: dict[str, object]


@dataclass
class Receiver:
    """The received requests, and the address to send them to.

    Attributes:
        address: for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        bodies: every request's bytes.
    """

    address: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[ReceivedSpan]:
        """All spans so far."""
        return [
            ReceivedSpan(
                service=_facts(of_program.resource.attributes)["service.name"],
                name=span.name,
                kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                failed=span.status.code == span.status.STATUS_CODE_ERROR,
                facts=_facts(span.attributes),
            )
            for body in list(self.bodies)
            for of_program in ExportTraceServiceRequest.FromString(body).resource_spans
            for of_library in of_program.scope_spans
            for span in of_library.spans
        ]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receives while the context lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
            if known:
                receiver.bodies.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.address = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            serving.join()


def _facts(attributes) -> dict:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}

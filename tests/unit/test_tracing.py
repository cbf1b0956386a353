"""Spans are made where OpenTelemetry is configured; a silent receiver delays no program."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager

import pytest

from flexiprice import tracing
from flexiprice.tracing import Span, SpanKind, is_enabled, readable_traceparent, span

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_spans_are_made_where_opentelemetry_s_variables_ask_for_them(
    environment: Mapping[str, str], wanted: bool
) -> None:
    assert is_enabled(environment) is wanted


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0" * 55,
        PARENT + "0" * 1000,
        PARENT.upper(),
        PARENT + "\n",
        PARENT.replace("00-4", "ff-4"),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        PARENT.replace("4bf", "٤bf"),
    ],
)
def test_invalid_traceparent_is_no_parent(text: str | None) -> None:
    assert readable_traceparent(text) is None
    assert readable_traceparent(PARENT) == PARENT


async def test_span_has_no_traceparent_while_tracing_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ENDPOINT:
        monkeypatch.delenv(name, raising=False)
    async with tracing.tracing("flexiprice-tests"):
        with span(SpanKind.SERVER, "GET", parent=PARENT) as untraced:
            untraced.fail("code")
    assert untraced.traceparent is None


# redis-py 8 imports OpenTelemetry by itself where it is installed.
@pytest.mark.locked
@pytest.mark.parametrize("program", ["workers.settings", "api.main"])
def test_opentelemetry_is_not_imported_while_tracing_is_off(program: str) -> None:
    code = (
        "import asyncio, sys\n"
        f"import {program}\n"
        "from flexiprice.tracing import tracing\n"
        "asyncio.run(tracing('p').__aenter__())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'flexiprice.otel'))])"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "FLEXIPRICE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "FLEXIPRICE_REDIS_URL": "redis://127.0.0.1:9/0",
    }
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.strip() == "[]"


async def test_program_runs_without_the_otel_extra_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "flexiprice.otel", None)
    async with tracing.tracing("flexiprice-tests"):
        with span(SpanKind.SERVER, "GET") as untraced:
            assert untraced.traceparent is None
    assert "pip install 'flexiprice[otel]'" in capsys.readouterr().out


class Stuck:
    """A tracer whose last spans are never sent."""

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()

    def span(
        self, kind: SpanKind, name: str, parent: str | None, facts: Mapping[str, str | int]
    ) -> AbstractContextManager[Span]:
        raise NotImplementedError

    def shutdown(self) -> None:
        self.asked.set()
        self.let_go.wait()


async def test_a_receiver_that_never_answers_does_not_keep_a_program_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stuck = Stuck()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(tracing, "_make_tracer", lambda program: stuck)
    monkeypatch.setattr(tracing, "_SHUTDOWN_SECONDS", 0.01)
    async with tracing.tracing("flexiprice-tests"):
        pass
    assert stuck.asked.is_set()
    stuck.let_go.set()

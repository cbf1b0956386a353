"""One trace from a client's request over the queue to the run in the worker, sent by both programs."""

import os
from pathlib import Path

import httpx

from flexiprice.cli.serve.process_group import running_programs
from flexiprice.embedded.child_process import free_port
from flexiprice.settings import PREFIX, load_settings
from tests.support.otlp_receiver import ReceivedSpan, receiving
from tests.support.processes import wait_for

KEY = "the-key-that-no-span-may-tell"
TRACE_ID, CLIENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REQUEST = "POST trigger_recompute"
TASK = "recompute_all_discounts"


def test_a_request_its_job_and_the_job_s_run_are_one_trace_and_tell_no_secret(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = load_settings(env_files=(), database_url=database_url, redis_url=redis_url, api_key=KEY)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with receiving() as receiver:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address, "OTEL_BSP_SCHEDULE_DELAY": "50"}

        def of_trace() -> dict[str, ReceivedSpan]:
            return {span.name: span for span in receiver.spans() if span.trace_id == TRACE_ID}

        with running_programs(
            settings,
            host="127.0.0.1",
            port=free_port(tmp_path / "port"),
            folder=tmp_path,
            logs=tmp_path,
            environment=environment,
        ) as programs:
            programs.wait_until_ready(servers=())
            started = programs.http.post(
                f"{programs.address}/api/v1/admin/discounts/trigger-recompute?days_threshold=17",
                headers={
                    "traceparent": f"00-{TRACE_ID}-{CLIENT_SPAN}-01",
                    "X-API-Key": KEY,
                    "X-Request-ID": "request-of-this-test",
                },
            )
            assert started.status_code == 202, started.text
            task_id = started.json()["task_id"]
            assert wait_for(lambda: f"run {TASK}" in of_trace()), receiver.spans()
            assert wait_for(lambda: REQUEST in of_trace()), receiver.spans()
            assert httpx.get(f"{programs.address}/metrics", trust_env=False).status_code == 401
        everything = b"".join(receiver.bodies)

    request, enqueued, run = (of_trace()[name] for name in (REQUEST, f"enqueue {TASK}", f"run {TASK}"))
    assert (request.service, request.kind, request.parent_id) == ("flexiprice-api", "SERVER", CLIENT_SPAN)
    assert (enqueued.service, enqueued.kind) == ("flexiprice-api", "PRODUCER")
    assert enqueued.parent_id == request.span_id
    assert (run.service, run.kind, run.parent_id) == ("flexiprice-worker", "CONSUMER", enqueued.span_id)
    assert request.facts == {
        "http.request.method": "POST",
        "flexiprice.operation": "trigger_recompute",
        "http.response.status_code": 202,
        "flexiprice.request_id": "request-of-this-test",
    }
    assert enqueued.facts["messaging.message.id"] == run.facts["messaging.message.id"] == task_id
    # The shop has no policy yet.
    assert run.facts["flexiprice.attempt"] == 1
    names = {span.name for span in receiver.spans()}
    assert not any("health" in name or "metrics" in name for name in names)
    for secret in (KEY, database_url.partition("://")[2], "days_threshold", "SELECT"):
        assert secret.encode() not in everything

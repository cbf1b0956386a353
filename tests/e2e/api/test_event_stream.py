"""A task's events over a socket, from a server as it is run."""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from flexiprice.access.api_keys import create_api_key, revoke_api_key
from flexiprice.domain.access import Scope
from flexiprice.resources import open_database
from flexiprice.settings import Settings
from tests.support.processes import flexiprice, start, wait_for

ADMIN = "/api/v1/admin"

KEY = "the-key-of-the-event-stream"


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    command = flexiprice("api", "--port", str(port), "--log-level", "warning")
    program = start(command, tmp_path, {**environment, "FLEXIPRICE_API_KEY": KEY})
    yield program
    if program.poll() is None:
        program.kill()
    program.communicate(timeout=120)


@pytest.fixture
def client(server: "subprocess.Popen[str]", port: int) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": KEY}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:

        def is_up() -> bool:
            assert server.poll() is None, server.communicate()
            try:
                return client.get("/api/v1/health/live").status_code == 200
            except httpx.TransportError:
                return False

        assert wait_for(is_up)
        yield client


def first_event(lines: Iterator[str]) -> dict[str, object]:
    for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended without an event")


def test_each_event_comes_when_it_happens_and_the_last_ends_the_stream(client: httpx.Client) -> None:
    task_id = client.post(f"{ADMIN}/tasks", json={"task": "cleanup_expired_discounts"}).json()["task_id"]

    with client.stream("GET", f"{ADMIN}/tasks/{task_id}/events") as stream:
        lines = stream.iter_lines()
        # Before anything else happens: nothing is held back until the end.
        assert first_event(lines)["status"] == "queued"
        client.post(f"{ADMIN}/tasks/{task_id}/revoke")
        last = first_event(lines)
        assert (last["status"], last["ready"]) == ("revoked", True)
        assert [line for line in lines if line] == []


def test_a_server_that_is_told_to_stop_does_not_wait_for_whoever_watches_a_task(
    client: httpx.Client, server: "subprocess.Popen[str]"
) -> None:
    task_id = client.post(f"{ADMIN}/tasks", json={"task": "cleanup_expired_discounts"}).json()["task_id"]

    with client.stream("GET", f"{ADMIN}/tasks/{task_id}/events") as stream:
        assert first_event(stream.iter_lines())["status"] == "queued"
        os.kill(server.pid, signal.SIGTERM)

        assert server.wait(timeout=120) in (0, -signal.SIGTERM)


def test_a_stream_ends_with_the_key_that_opened_it(client: httpx.Client, settings: Settings) -> None:
    async def make() -> str:
        async with open_database(settings, program="tests") as database, database.sessions.begin() as session:
            now = datetime.now(UTC)
            return (await create_api_key(session, name="onlooker", scopes=[Scope.READ], now=now)).key

    async def revoke() -> None:
        async with open_database(settings, program="tests") as database, database.sessions.begin() as session:
            await revoke_api_key(session, "onlooker", now=datetime.now(UTC))

    headers = {"X-API-Key": asyncio.run(make())}
    task_id = client.post(f"{ADMIN}/tasks", json={"task": "cleanup_expired_discounts"}).json()["task_id"]
    with client.stream("GET", f"{ADMIN}/tasks/{task_id}/events", headers=headers) as stream:
        lines = stream.iter_lines()
        assert first_event(lines)["status"] == "queued"
        asyncio.run(revoke())
        assert first_event(lines)["code"] == "unauthorized"
        assert not any(line.startswith("data:") for line in lines)

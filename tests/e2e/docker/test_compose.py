"""Commands, environments and health checks of docker/compose.yaml, run outside containers."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis
from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]

from flexiprice.cli.serve.healthcheck import Program, recognise
from flexiprice.embedded.binaries import postgres_programs, valkey_program
from flexiprice.errors import ServerFailed
from flexiprice.settings import Settings
from tests.support.compose_file import DOCKER, compose_file
from tests.support.processes import wait_for

GIVEN = {
    "POSTGRES_PASSWORD": "database-password-of-this-test",
    "REDIS_PASSWORD": "redis-password-of-this-test",
    "FLEXIPRICE_API_KEY": "api-key-of-this-test",
}
METRICS_KEY = "metrics-key-of-this-test"
SERVICES: dict[str, Any] = compose_file({**GIVEN, "FLEXIPRICE_METRICS_KEY": METRICS_KEY})["services"]
FOLDER_OF_THE_IMAGE = "/opt/flexiprice/bin/"


def in_this_environment(command: list[str]) -> list[str]:
    """A command of the image, with the programs of the environment that runs the tests."""
    program = command[0].removeprefix(FOLDER_OF_THE_IMAGE)
    assert program != command[0]
    return [str(Path(sys.executable).with_name(program)), *command[1:]]


def of_the_image(instruction: str) -> list[str]:
    (value,) = (
        step["value"]
        for step in DockerfileParser(path=str(DOCKER / "Dockerfile")).structure
        if step["instruction"] == instruction
    )
    words: list[str] = json.loads(value[value.index("[") :])
    return words


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Containers:
    """The services of ours as processes: their own commands and environments, but the test's servers."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        # Two tests at once, and each on ports of its own.
        self.ports = {"8000": free_port(), "5555": free_port(), "9464": free_port()}

    def environment(self, service: str) -> dict[str, str]:
        database_url, redis_url = self._settings.require_database_url(), self._settings.require_redis_url()
        given = SERVICES[service]["environment"]
        assert "@postgres:5432/" in given["FLEXIPRICE_DATABASE_URL"]
        assert "@redis:6379/" in given["FLEXIPRICE_REDIS_URL"]
        ours = {"FLEXIPRICE_DATABASE_URL": database_url, "FLEXIPRICE_REDIS_URL": redis_url}
        given = {name: self._ported(value) for name, value in {**given, **ours}.items()}
        # Only the machine's variables that a program needs to run at all, as in an image.
        return {"PATH": os.environ["PATH"], "HOME": str(self._folder), **given}

    def command(self, service: str) -> list[str]:
        words = [*of_the_image("ENTRYPOINT"), *SERVICES[service]["command"]]
        return in_this_environment([self._ported(word) for word in words])

    @contextmanager
    def running(self, service: str) -> Iterator["subprocess.Popen[bytes]"]:
        with (
            (self._folder / f"{service}.log").open("w") as log,
            subprocess.Popen(
                self.command(service),
                cwd=self._folder,
                env=self.environment(service),
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def listens(self, service: str) -> bool:
        port = {"api": "8000", "monitor": "5555", "worker": "9464"}[service]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[port])) == 0

    def said(self, service: str) -> str:
        return (self._folder / f"{service}.log").read_text()

    def check_health(self, service: str) -> "subprocess.CompletedProcess[str]":
        """The image's own check, with the program to check as an argument."""
        told = [service]
        if service != "worker":
            told += ["--port", SERVICES[service]["command"][-1]]
        return subprocess.run(
            in_this_environment([*of_the_image("HEALTHCHECK"), *(self._ported(word) for word in told)]),
            cwd=self._folder,
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _ported(self, word: str) -> str:
        return str(self.ports.get(word, word))


@pytest.fixture
def containers(settings: Settings, tmp_path: Path) -> Containers:
    return Containers(settings, tmp_path)


def test_every_service_starts_is_found_healthy_and_stops_when_told(containers: Containers) -> None:
    serving = ("api", "worker", "monitor")
    migrate = subprocess.run(
        containers.command("migrate"),
        env=containers.environment("migrate"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert migrate.returncode == 0, migrate.stderr

    with ExitStack() as stack:
        processes = {name: stack.enter_context(containers.running(name)) for name in serving}
        for name in serving:
            assert wait_for(lambda name=name: containers.listens(name), 90), containers.said(name)
            checked = containers.check_health(name)
            assert checked.returncode == 0, containers.said(name) + checked.stderr
        for name, process in processes.items():
            found, port = recognise(psutil.Process(process.pid).cmdline())
            assert found is Program(name)
            assert port in {None, *containers.ports.values()}

        assert_the_key_opens(f"http://127.0.0.1:{containers.ports['8000']}")
        for port in ("8000", "9464"):
            place = f"http://127.0.0.1:{containers.ports[port]}/metrics"
            assert httpx.get(place, trust_env=False).status_code == 401
            bearer = {"Authorization": f"Bearer {METRICS_KEY}"}
            assert "flexiprice_" in httpx.get(place, headers=bearer, trust_env=False).text

        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        ended = {name: process.wait(120) for name, process in processes.items()}
        # uvicorn dies of the signal once it has tidied up; both are an orderly end to who stops it.
        assert ended == {"api": -signal.SIGTERM, "worker": 0, "monitor": -signal.SIGTERM}
        assert all("Finished server process" in containers.said(name) for name in ("api", "monitor"))
        gone = containers.check_health("worker")
        assert gone.returncode == 1
        assert "shows that it lives" in gone.stderr


def assert_the_key_opens(address: str) -> None:
    tasks = f"{address}/api/v1/admin/tasks/registered"
    key = {"X-API-Key": GIVEN["FLEXIPRICE_API_KEY"]}
    assert httpx.get(tasks, trust_env=False).status_code == 401
    assert httpx.get(tasks, headers=key, trust_env=False).status_code == 200


@pytest.mark.parametrize("service", ["api", "worker", "monitor"])
def test_a_container_is_recognised_by_what_is_typed_too(service: str) -> None:
    typed = ["/sbin/docker-init", "--", "/opt/flexiprice/bin/flexiprice", service, "--port=81"]
    assert recognise(typed) == (Program(service), 81)


def test_a_container_that_runs_something_else_is_not_taken_for_healthy() -> None:
    with pytest.raises(ServerFailed, match="neither API nor monitor nor worker"):
        recognise(["/opt/flexiprice/bin/flexiprice", "doctor"])


def test_the_database_s_health_check_holds_on_a_real_server(settings: Settings) -> None:
    shell, program, *options = SERVICES["postgres"]["healthcheck"]["test"]
    assert (shell, program) == ("CMD", "pg_isready")
    port = settings.require_database_url().rpartition(":")[2].partition("/")[0]
    said = subprocess.run(
        [postgres_programs() / program, *options, "-p", port],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stdout


def test_redis_starts_with_the_options_of_compose_keeps_data_and_asks_for_password(
    tmp_path: Path,
) -> None:
    program, *options = SERVICES["redis"]["command"]
    assert program == "redis-server"
    assert SERVICES["redis"]["environment"]["REDISCLI_AUTH"] == GIVEN["REDIS_PASSWORD"]
    port = free_port()
    server = subprocess.Popen(
        [valkey_program(), *options, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port, password=GIVEN["REDIS_PASSWORD"]) as client:
            assert wait_for(lambda: answers(client))
            kept = client.config_get("appendonly", "maxmemory-policy", "maxmemory")
        assert kept == {
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "maxmemory": str(512 * 1024 * 1024),
        }
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        server.kill()
        server.wait(120)


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False

"""docker/ as a person uses it: the image is built, everything is started, scaled, broken and stopped."""

import json
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from tests.install.engine import Engine
from tests.install.steps import Failed, eventually, require, shown, step, untested

IMAGE = "flexiprice:local"
STAND_INS = {"postgres": "postgres:18", "redis": "redis:8", "prometheus": "prom/prometheus:v3.5.0"}
# Off the usual ones, which may be in use on this machine.
PORTS = {"FLEXIPRICE_API_PORT": "18000", "FLEXIPRICE_MONITOR_PORT": "15555", "PROMETHEUS_PORT": "19090"}
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLEXIPRICE_API_KEY")
LIVING = ("postgres", "redis", "api", "worker", "monitor")
API = f"http://127.0.0.1:{PORTS['FLEXIPRICE_API_PORT']}/api/v1"


class Fleet:
    """The services of docker/compose.yaml, as Compose runs them."""

    def __init__(self, engine: Engine, checkout: Path) -> None:
        self.engine = engine
        self._folder = checkout / "docker"
        self._given = {name: secrets.token_hex(24) for name in (*SECRETS, "FLEXIPRICE_METRICS_KEY")} | PORTS
        self.key = self._given["FLEXIPRICE_API_KEY"]

    def fill_in(self, *, leaving_out: str | None = None) -> None:
        """Makes `.env` of the example, as a person does."""
        text = (self._folder / "env.example").read_text()
        for name, value in self._given.items():
            if name != leaving_out:
                text = re.sub(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        (self._folder / ".env").write_text(text)

    def compose(self, *words: str) -> str:
        return self.engine.compose(self._folder, *words)

    def containers(self, service: str) -> list[Any]:
        names = self.compose("ps", "--all", "--quiet", service).split()
        return [self.engine.inspect(name) for name in names]

    def one(self, service: str) -> Any:
        (container,) = self.containers(service)
        return container

    def healthy(self, *services: str) -> bool:
        found = [container for service in services for container in self.containers(service)]
        return all(container["State"].get("Health", {}).get("Status") == "healthy" for container in found)

    def inside(self, service: str, *words: str) -> str:
        return self.compose("exec", "-T", service, *words)

    def get(self, path: str) -> Any:
        return self._answer("GET", path)

    def post(self, path: str) -> Any:
        return self._answer("POST", path)

    def _answer(self, method: str, path: str) -> Any:
        headers = {"X-API-Key": self.key}
        answer = httpx.request(method, f"{API}{path}", headers=headers, timeout=40, trust_env=False)
        require(answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()


def walk_through_containers(engine: Engine, root: Path) -> None:
    """Builds the image and puts the whole of docker/compose.yaml through a container's life.

    Raises:
        Failed: something was not as it has to be.
    """
    fleet = Fleet(engine, engine.check_out(root))
    with step("Make stand-ins of PostgreSQL, Redis and Prometheus from Debian's packages"):
        engine.make_stand_ins(STAND_INS)
    for missing in SECRETS:
        with step(f"Nothing starts without {missing}"):
            fleet.fill_in(leaving_out=missing)
            shown(_refusal(fleet, missing))
    fleet.fill_in()
    with step("docker compose build: the image from docker/Dockerfile"):
        fleet.compose("build", "migrate")
    _look_into_the_image(engine)
    fleet.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
    try:
        _start(fleet)
        _look_at_containers(fleet)
        _use(fleet)
        _scale_and_break(fleet)
        _scrape(fleet)
        _stop(fleet)
    except Failed as error:
        state = fleet.compose("ps", "--all", "--format", "table {{.Service}}\t{{.Status}}")
        logs = fleet.compose("logs", "--no-color", "--tail", "15")
        raise Failed(f"{error}\n{state}\n{logs}") from error
    finally:
        fleet.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
    untested("the published images of PostgreSQL, Redis, Prometheus and Grafana; BuildKit; ARM")


def _look_into_the_image(engine: Engine) -> None:
    with step("The image has no compiler, no pip and no user but a number"):
        programs = "gcc cc g++ make pip pip3 git curl ld"
        found = engine.docker(
            *("run", "--rm", "--network", "none", "--entrypoint", "sh", IMAGE),
            *("-c", f"id -u; for program in {programs}; do command -v $program; done; true"),
        )
        require(found == "10001", f"it has {found}")
    with step("How large it is"):
        layers = engine.docker("history", "--format", "{{.Size}}\t{{.CreatedBy}}", "--no-trunc", IMAGE)
        shown(f"{engine.inspect(IMAGE)['Size'] / 1e6:.0f} MB in all:")
        shown("\n".join(line[:100] for line in layers.splitlines() if not line.startswith("0B")))


def _refusal(fleet: Fleet, missing: str) -> str:
    try:
        fleet.compose("up", "--detach", "--no-build")
    except Failed as error:
        message = str(error).splitlines()[-1]
        require(f"set {missing} in docker/.env" in message, message)
        return message
    raise Failed(f"Compose starts without {missing}")


def _start(fleet: Fleet) -> None:
    with step("docker compose up: every service is started, and is found healthy"):
        fleet.compose("up", "--detach", "--no-build")
        eventually(
            lambda: fleet.healthy("postgres", "redis", "api", "worker", "monitor"),
            "all are healthy",
            seconds=120,
        )
        shown(fleet.compose("ps", "--all", "--format", "table {{.Service}}\t{{.Status}}\t{{.Ports}}"))
    with step("They were started in the order in which they need each other"):
        migrated = fleet.one("migrate")["State"]
        require(migrated["ExitCode"] == 0, "migrate failed")
        for service in ("api", "worker", "monitor"):
            started = fleet.one(service)["State"]["StartedAt"]
            require(started > migrated["FinishedAt"], f"{service} was started before migrate had ended")
        require(migrated["StartedAt"] > fleet.one("postgres")["State"]["StartedAt"], "migrate came first")


def _look_at_containers(fleet: Fleet) -> None:
    with step("Containers of ours cannot write, gain rights, or take more than their share"):
        for service in ("api", "worker", "monitor"):
            host = fleet.one(service)["HostConfig"]
            require(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], f"{service}: {host}")
            require(host["Memory"] == 512 * 1024 * 1024 and host["NanoCpus"] == 10**9, f"{service}: {host}")
            written = "touch /opt/flexiprice/x 2>/dev/null || touch /etc/x 2>/dev/null || echo refused"
            require(fleet.inside(service, "sh", "-c", written) == "refused", f"{service} can write")
            status = fleet.inside(service, "cat", "/proc/self/status")
            require("NoNewPrivs:\t1" in status and "CapBnd:\t0000000000000000" in status, status)
    with step("Ports are open to this machine only, and only those of the API and the monitor"):
        published = {
            service: {entry["HostIp"] for ports in _bindings(fleet.containers(service)) for entry in ports}
            for service in ("postgres", "redis", "migrate", "api", "worker", "monitor")
        }
        require(
            {name: ips for name, ips in published.items() if ips}
            == {"api": {"127.0.0.1"}, "monitor": {"127.0.0.1"}},
            str(published),
        )
    with step("Redis writes down what it is given, and drops nothing"):
        for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
            require(value in fleet.inside("redis", "redis-cli", "config", "get", name), name)


def _bindings(containers: Iterable[Any]) -> Iterable[list[dict[str, str]]]:
    return (ports for container in containers for ports in container["HostConfig"]["PortBindings"].values())


def _use(fleet: Fleet) -> None:
    with step("A recompute that is triggered from outside is run by the worker"):
        answer = fleet.post("/admin/discounts/trigger-recompute?async_task=true")
        status = fleet.get(f"/admin/discounts/task-status/{answer['task_id']}?wait=30")
        require(status["status"] == "success" or status.get("ready"), str(status))
        shown(json.dumps(status)[:200])
    with step("API and monitor refuse a client without a key"):
        refused = httpx.get(f"{API}/admin/workers", trust_env=False)
        require(refused.status_code == 401, str(refused.status_code))
        monitor = f"http://127.0.0.1:{PORTS['FLEXIPRICE_MONITOR_PORT']}/"
        answer = httpx.get(monitor, follow_redirects=True, trust_env=False)
        require("login" in str(answer.url) or answer.status_code == 401, f"{answer.url} {answer.status_code}")
    with step("flexiprice doctor, in the API's container"):
        shown(fleet.inside("api", "flexiprice", "doctor"))


def _workers(fleet: Fleet) -> int:
    return len(json.loads(fleet.inside("api", "flexiprice", "workers", "--json")))


def _scale_and_break(fleet: Fleet) -> None:
    with step("--scale worker=4: four workers share the work"):
        fleet.compose("up", "--detach", "--no-build", "--scale", "worker=4")
        eventually(lambda: _workers(fleet) == 4, "four workers live")
    with step("A worker that is killed is started again"):
        victim = fleet.containers("worker")[0]
        # By the kernel, as for want of memory: Docker takes its own kill for intended.
        program = fleet.engine.docker("top", victim["Id"], "-o", "pid,args")
        pids = re.findall(r"^\s*(\d+) .*arq workers\.settings", program, re.MULTILINE)
        require(pids, program)
        fleet.engine.run(["kill", "-9", *pids])
        eventually(lambda: fleet.engine.inspect(victim["Id"])["RestartCount"] == 1, "it is started again")
        eventually(lambda: _workers(fleet) == 4, "four workers live again")


def _scrape(fleet: Fleet) -> None:
    with step("--profile metrics: Prometheus finds the API and every worker"):
        fleet.compose("--profile", "metrics", "up", "--detach", "--no-build", "--scale", "worker=4")
        address = f"http://127.0.0.1:{PORTS['PROMETHEUS_PORT']}/api/v1/targets"

        def all_up() -> list[str] | None:
            try:
                targets = httpx.get(address, trust_env=False).json()["data"]["activeTargets"]
            except (httpx.TransportError, ValueError):
                return None
            up = sorted(target["labels"]["job"] for target in targets if target["health"] == "up")
            return up if up == ["flexiprice-api", *["flexiprice-worker"] * 4] else None

        shown(", ".join(eventually(all_up, "five targets are up")))


def _stop(fleet: Fleet) -> None:
    with step("A container is told to stop, not killed: each ends by itself, soon, and in order"):
        begun = time.monotonic()
        fleet.compose("stop", "worker", "api", "monitor")
        seconds = time.monotonic() - begun
        codes = {
            service: {container["State"]["ExitCode"] for container in fleet.containers(service)}
            for service in ("worker", "api", "monitor")
        }
        # 143 is uvicorn's end by the signal, after it has tidied up; 137 would be a kill.
        require(codes["worker"] == {0} and not any(137 in found for found in codes.values()), str(codes))
        require(seconds < 20, f"it took {seconds:.0f} s")
        shown(f"{seconds:.1f} s, exit codes {codes}")
    with step("docker compose down and up again: what was known is known"):
        before = fleet.compose("run", "--rm", "-T", "--no-deps", "migrate", "runs", "--json")
        fleet.compose("--profile", "*", "down")
        fleet.compose("up", "--detach", "--no-build")
        eventually(lambda: fleet.healthy("api", "worker"), "they are healthy again", seconds=240)
        after = fleet.inside("api", "flexiprice", "runs", "--json")
        known = {run["run_id"] for run in json.loads(before)}
        require(known and known <= {run["run_id"] for run in json.loads(after)}, f"{before} {after}")

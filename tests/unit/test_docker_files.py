"""The files of docker/: an image built from locks, Compose, Prometheus and Grafana, without secrets."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flexiprice.settings import PREFIX, Settings
from tests.support.compose_file import DOCKER, Unset, compose_file, variables

ROOT = DOCKER.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
METRICS_KEY = "metrics-key-of-this-test"
GIVEN = {
    "POSTGRES_PASSWORD": "database-password-of-this-test",
    "REDIS_PASSWORD": "redis-password-of-this-test",
    "FLEXIPRICE_API_KEY": "api-key-of-this-test",
}
# Read by Compose and by no program of ours: names, addresses and ports of containers.
ONLY_COMPOSE = {
    "FLEXIPRICE_IMAGE",
    "FLEXIPRICE_BIND",
    "FLEXIPRICE_API_PORT",
    "FLEXIPRICE_MONITOR_PORT",
    "FLEXIPRICE_STOP_GRACE_PERIOD",
}
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def instructions(*, last_stage: bool = False) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for step in DockerfileParser(path=str(DOCKER / "Dockerfile")).structure:
        if last_stage and step["instruction"] == "FROM":
            found = []
        found.append((step["instruction"], step["value"]))
    return found


def in_last_stage(instruction: str) -> list[str]:
    return [value for name, value in instructions(last_stage=True) if name == instruction]


def locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Of each package, its version with the marker, and its hashes."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", path.read_text()):
        pin = entry.partition(" \\")[0]
        if "==" in pin:
            requirement = Requirement(pin)
            hashes = frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry))
            found[canonicalize_name(requirement.name)] = (str(requirement.specifier), hashes)
    return found


def all_needed(requirements: list[str]) -> set[str]:
    """The packages that these need on this machine, and those that they need."""
    needed: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        needed.add(canonicalize_name(requirement.name))
        for text in requires(requirement.name) or ():
            further = Requirement(text)
            extras = requirement.extras or {""}
            if not further.marker or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(further)
    return needed


def services_of_ours() -> dict[str, Any]:
    services = compose_file(GIVEN)["services"]
    return {name: service for name, service in services.items() if "build" in service}


class TestTheImage:
    def test_dockerfile_satisfies_hadolint(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        said = subprocess.run(
            [hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False, timeout=120
        )
        assert said.returncode == 0, said.stdout

    @pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
    def test_no_shell_stands_between_the_engine_and_the_program(self, instruction: str) -> None:
        (words,) = in_last_stage(instruction)
        assert json.loads(words)

    def test_image_health_check_needs_no_shell(self) -> None:
        (check,) = in_last_stage("HEALTHCHECK")
        assert json.loads(check.partition("CMD ")[2])[-2:] == ["-m", "flexiprice.cli.serve.healthcheck"]

    def test_image_runs_as_a_numeric_user_other_than_root(self) -> None:
        (user,) = in_last_stage("USER")
        assert all(int(number) > 0 for number in user.split(":"))

    def test_image_stops_at_the_signal_that_the_programs_heed(self) -> None:
        assert in_last_stage("STOPSIGNAL") == ["SIGTERM"]

    def test_every_package_is_installed_by_its_hash_or_from_what_was_built_here(self) -> None:
        steps = [value for name, value in instructions() if name == "RUN"]
        installs = [
            part for step in steps for part in step.split("&&") if " install " in part and "pip" in part
        ]
        by_pip = [part for part in installs if "apt-get" not in part]
        assert len(by_pip) == 3
        assert all("--require-hashes" in part or "--no-deps --no-index" in part for part in by_pip)

    def test_image_label_has_this_version(self) -> None:
        assert f"VERSION={PROJECT['project']['version']}" in in_last_stage("ARG")

    def test_all_that_is_copied_is_there_and_let_through(self) -> None:
        let_through = [
            line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")
        ]
        copied = [
            source
            for name, value in instructions()
            if name == "COPY" and "--from" not in value
            for source in value.split()[:-1]
        ]
        assert "flexiprice" in copied
        for source in copied:
            assert (ROOT / source).exists()
            assert any(Path(source).match(pattern) for pattern in let_through), source


class TestTheLocks:
    @pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
    def test_docker_locks_pin_the_versions_of_the_tested_lock(self, lock: str) -> None:
        tested, shipped = locked(ROOT / "requirements.lock"), locked(DOCKER / lock)
        assert len(shipped) >= 5
        assert all(hashes for _, hashes in shipped.values())
        assert {name: tested.get(name) for name in shipped} == shipped, "make lock"

    @pytest.mark.locked
    def test_docker_lock_holds_what_programs_monitor_and_traces_need_and_nothing_else(self) -> None:
        project = PROJECT["project"]
        extras = project["optional-dependencies"]
        needed = all_needed(project["dependencies"] + extras["monitor"] + extras["otel"])
        # For other systems and older Pythons; they are not installed here.
        elsewhere = {"colorama", "async-timeout"}
        assert set(locked(DOCKER / "requirements.lock")) - elsewhere == needed - elsewhere, "make lock"

    def test_the_build_has_what_the_project_is_built_with(self) -> None:
        assert all_needed(PROJECT["build-system"]["requires"]) <= set(locked(DOCKER / "build.lock"))


class TestCompose:
    def test_the_file_is_what_the_compose_specification_asks_for(self) -> None:
        said = subprocess.run(
            [
                Path(sys.executable).with_name("check-jsonschema"),
                *("--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert said.returncode == 0, said.stdout

    @pytest.mark.parametrize("missing", sorted(GIVEN))
    def test_without_a_secret_nothing_starts_and_the_message_says_which_and_where(self, missing: str) -> None:
        with pytest.raises(Unset, match=f"set {missing} in docker/.env"):
            compose_file({**GIVEN, missing: ""})

    def test_no_secret_has_a_default(self) -> None:
        assert variables("?") == set(GIVEN)

    def test_the_example_names_every_variable_and_fills_in_no_secret(self) -> None:
        lines = re.findall(r"^#?([A-Z_]+)=(.*)$", (DOCKER / "env.example").read_text(), re.MULTILINE)
        assert {name for name, _ in lines} == variables()
        assert {name for name, value in lines if not value} == {
            *GIVEN,
            "FLEXIPRICE_MONITOR_READ_KEY",
            "FLEXIPRICE_METRICS_KEY",
            "FLEXIPRICE_TRUSTED_PROXIES",
            "FLEXIPRICE_URL_PREFIX",
            "GRAFANA_PASSWORD",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_HEADERS",
        }

    def test_every_flexiprice_variable_is_a_setting(self) -> None:
        given = {
            name
            for service in services_of_ours().values()
            for name in service["environment"]
            if name.startswith(PREFIX)
        }
        assert len(given) > 8
        assert given <= SETTINGS
        assert {name for name in variables() if name.startswith(PREFIX)} <= SETTINGS | ONLY_COMPOSE

    def test_every_container_of_ours_can_change_nothing_but_tmp(self) -> None:
        services = services_of_ours()
        assert services.keys() == {"migrate", "api", "worker", "monitor"}
        for service in services.values():
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]

    def test_every_container_has_limits_and_is_started_again(self) -> None:
        for service in compose_file(GIVEN)["services"].values():
            assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
            assert service["restart"] in {"unless-stopped", "on-failure:5"}

    def test_ports_are_for_this_machine_only_unless_it_is_said_otherwise(self) -> None:
        services = compose_file(GIVEN)["services"]
        published = {name: service["ports"] for name, service in services.items() if "ports" in service}
        assert published.keys() == {"api", "monitor", "prometheus", "grafana"}
        assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)

    def test_api_and_monitor_are_told_of_a_proxy_in_front(self) -> None:
        given = {"FLEXIPRICE_TRUSTED_PROXIES": "172.16.0.0/12", "FLEXIPRICE_URL_PREFIX": "/shop"}
        services = compose_file({**GIVEN, **given})["services"]
        for service in (services["api"], services["monitor"]):
            assert given.items() <= service["environment"].items()

    def test_a_worker_is_given_the_time_that_it_takes_to_stop(self) -> None:
        period = compose_file(GIVEN)["services"]["worker"]["stop_grace_period"]
        grace = Settings.model_fields["worker_grace"].default.total_seconds()
        assert int(period.removesuffix("s")) >= grace + 10

    def test_every_image_of_others_can_be_pinned_by_its_digest(self, tmp_path: Path) -> None:
        docker = tmp_path / "docker"
        docker.write_text(
            '#!/bin/sh\n[ "$1" = pull ] && exit 0\nfor image; do :; done\necho "${image%%:*}@sha256:abc"\n'
        )
        docker.chmod(0o700)
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        said = subprocess.run(
            ["make", "--no-print-directory", "digests"],
            cwd=DOCKER.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        pinned = dict(line.split("=", 1) for line in said.stdout.splitlines())
        assert pinned == {
            "BASE_IMAGE": "debian@sha256:abc",
            "POSTGRES_IMAGE": "postgres@sha256:abc",
            "REDIS_IMAGE": "redis@sha256:abc",
            "PROMETHEUS_IMAGE": "prom/prometheus@sha256:abc",
            "GRAFANA_IMAGE": "grafana/grafana@sha256:abc",
        }
        services = compose_file({**GIVEN, **pinned})["services"]
        images = {service["image"] for service in services.values()} - {"flexiprice:local"}
        bases = {service["build"]["args"]["BASE"] for service in services.values() if "build" in service}
        assert images | bases == set(pinned.values())

    def test_prometheus_asks_the_ports_that_are_served_with_the_key_that_they_know(self) -> None:
        services = compose_file({**GIVEN, "FLEXIPRICE_METRICS_KEY": METRICS_KEY})["services"]
        assert "./prometheus:/etc/prometheus/flexiprice:ro" in services["prometheus"]["volumes"]
        assert "--config.file=/etc/prometheus/flexiprice/prometheus.yaml" in services["prometheus"]["command"]
        jobs = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())["scrape_configs"]
        api, workers = (jobs[0]["static_configs"][0]["targets"][0], jobs[1]["dns_sd_configs"][0])
        assert api == f"api:{services['api']['command'][-1]}"
        (file,) = {job["authorization"]["credentials_file"] for job in jobs}
        prometheus = services["prometheus"]
        assert f">{file} " in prometheus["entrypoint"][2]
        assert prometheus["tmpfs"] == [str(Path(file).parent)]
        for service in ("prometheus", "api", "worker"):
            assert services[service]["environment"]["FLEXIPRICE_METRICS_KEY"] == METRICS_KEY
        assert workers["names"] == ["worker"]
        assert str(workers["port"]) == services["worker"]["environment"]["FLEXIPRICE_WORKER_METRICS_PORT"]

    def test_grafana_finds_prometheus_and_the_dashboard_where_they_are(self) -> None:
        services = compose_file(GIVEN)["services"]
        grafana, prometheus = services["grafana"], services["prometheus"]
        assert set(grafana["profiles"]) <= set(prometheus["profiles"])
        (folder,) = (place.split(":")[1] for place in grafana["volumes"] if place.startswith("./grafana:"))
        provisioning = grafana["environment"]["GF_PATHS_PROVISIONING"]
        assert (DOCKER / "grafana" / Path(provisioning).relative_to(folder)).is_dir()
        (source,) = provisioned("datasources/prometheus.yaml")["datasources"]
        assert source["url"] == f"http://prometheus:{prometheus['ports'][0].rpartition(':')[2]}"
        scraped = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())["global"]
        assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]
        (provider,) = provisioned("dashboards/flexiprice.yaml")["providers"]
        dashboards = DOCKER / "grafana" / Path(provider["options"]["path"]).relative_to(folder)
        home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
        assert (DOCKER / "grafana" / home.relative_to(folder)) in set(dashboards.iterdir())

    @pytest.mark.parametrize("password", ["", "a-password-of-this-test"])
    def test_grafana_starts_with_a_password_of_ours_only(self, password: str, tmp_path: Path) -> None:
        shell, option, script = compose_file(GIVEN)["services"]["grafana"]["entrypoint"]
        started = tmp_path / "run.sh"
        started.write_text("#!/bin/sh\necho started\n")
        started.chmod(0o700)
        said = subprocess.run(
            # Compose reads two dollars as one.
            [shell, option, script.replace("$$", "$").replace("/run.sh", str(started))],
            env={"GF_SECURITY_ADMIN_PASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert (said.returncode == 0) is bool(password)
        assert said.stdout == ("started\n" if password else "")
        assert ("set GRAFANA_PASSWORD in docker/.env" in said.stderr) is not bool(password)


def provisioned(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DOCKER / "grafana/provisioning" / name).read_text())
    return document

"""A Docker engine of this run's own, and images of bare Debian that it makes without a registry."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.install.steps import Failed, eventually

NEEDED = {"dockerd": "docker.io", "docker": "docker.io", "runc": "runc", "debootstrap": "debootstrap"}
STAND_INS = Path(__file__).parent / "stand_ins"
# debian:*-slim leaves this out, so that sizes measured here are comparable.
SLIM = ("/usr/share/doc", "/usr/share/info", "/usr/share/locale", "/usr/share/man")
# A virtual machine or a container may not be allowed to raise limits, which runc does for every process.
RUNC = """#!{python}
import json, os, sys
from pathlib import Path

for option, value in zip(sys.argv, sys.argv[1:]):
    files = {{"--bundle": Path(value, "config.json"), "--process": Path(value)}}
    if file := files.get(option):
        config = json.loads(file.read_text())
        config.get("process", config).pop("rlimits", None)
        file.write_text(json.dumps(config))
os.execv("{runc}", ["{runc}", *sys.argv[1:]])
"""


class Engine:
    """`dockerd` in a folder, on a socket there, with images and containers of its own."""

    def __init__(self, folder: Path) -> None:
        missing = {package for program, package in NEEDED.items() if shutil.which(program) is None}
        if missing:
            raise Failed(f"apt-get install {' '.join(sorted(missing))}")
        if os.geteuid() != 0:
            raise Failed("a container engine wants root")
        if any(process.info["name"] == "dockerd" for process in psutil.process_iter(["name"])):
            raise Failed("another dockerd runs here; they would fight over the same networks")
        self._folder = folder
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            # The builder that needs no further parts.
            "DOCKER_BUILDKIT": "0",
        }

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        runc = self._folder / "runc"
        runc.write_text(RUNC.format(python=sys.executable, runc=shutil.which("runc")))
        runc.chmod(0o755)
        configuration = self._folder / "daemon.json"
        configuration.write_text(
            json.dumps({"runtimes": {"as-it-may": {"path": str(runc)}}, "default-runtime": "as-it-may"})
        )
        self._log = (self._folder / "dockerd.log").open("w")
        self._process = subprocess.Popen(
            [
                "dockerd",
                *("--config-file", configuration, "--host", self.environment["DOCKER_HOST"]),
                *("--data-root", self._folder / "data", "--exec-root", self._folder / "run"),
                *("--pidfile", self._folder / "pid"),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        eventually(lambda: self.docker("info", check=False), f"dockerd, see {self._log.name}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def docker(self, *words: str | Path, check: bool = True) -> str:
        """Runs a command of Docker's and returns its output.

        Raises:
            Failed: it ended with another exit code than 0; where that does not matter, the answer is empty.
        """
        return self.run(["docker", *words], check=check)

    def compose(self, folder: Path, *words: str) -> str:
        """Runs a command of Docker Compose's in a folder."""
        return self.run([self._folder / "docker-compose", *words], folder)

    def check_out(self, root: Path) -> Path:
        """A folder with the last commit, and nothing else."""
        checkout, archive = self._folder / "checkout", self._folder / "checkout.tar"
        shutil.rmtree(checkout, ignore_errors=True)
        checkout.mkdir()
        self.run(["git", "archive", "--output", archive, "HEAD"], root)
        self.run(["tar", "--extract", "--file", archive, "--directory", checkout])
        archive.unlink()
        return checkout

    def run(self, command: list[str | Path], folder: Path | None = None, *, check: bool = True) -> str:
        """Runs any command against this engine."""
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            if check:
                words = " ".join(str(word) for word in command)
                said = "\n".join(f"{done.stdout}{done.stderr}".splitlines()[-30:])
                raise Failed(f"{words}: exit code {done.returncode}\n{said}")
            return ""
        return done.stdout.strip()

    def inspect(self, *words: str) -> Any:
        """Docker's description of a container or an image."""
        return json.loads(self.docker("inspect", *words))[0]

    def make_debian(self, suite: str, tag: str, *packages: str, slim: bool = False) -> None:
        """Makes an image of a bare Debian out of its packages; slim as `debian:SUITE-slim` is."""
        if self.docker("image", "inspect", tag, check=False):
            return
        root = self._folder / suite
        shutil.rmtree(root, ignore_errors=True)
        included = [f"--include={','.join(packages)}"] if packages else []
        log = self.run(["debootstrap", "--variant=minbase", *included, suite, root])
        (self._folder / f"{suite}.log").write_text(log)
        if slim:
            excluded = "".join(f"path-exclude {folder}/*\n" for folder in SLIM)
            (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(
                f"{excluded}path-include /usr/share/doc/*/copyright\n"
            )
        emptied = ("/var/cache/apt/archives", "/var/lib/apt/lists", "/var/log")
        for folder in (*(SLIM if slim else ()), *emptied):
            shutil.rmtree(root / folder[1:], ignore_errors=True)
            (root / folder[1:]).mkdir()
        _trust_what_this_machine_trusts(root)
        archive = self._folder / f"{suite}.tar"
        self.run(["tar", "--create", "--file", archive, "--directory", root, "."])
        self.docker("import", archive, tag)
        archive.unlink()
        shutil.rmtree(root)

    def make_stand_ins(self, images: Mapping[str, str]) -> None:
        """Builds images of Debian's servers under the names that are asked for; and fetches Compose."""
        for target, tag in images.items():
            self.docker("build", "--quiet", "--target", target, "--tag", tag, STAND_INS)
        self.docker("build", "--quiet", "--target", "compose", "--tag", "compose", STAND_INS)
        container = self.docker("create", "compose", "true")
        plugin = "/usr/libexec/docker/cli-plugins/docker-compose"
        self.docker("cp", f"{container}:{plugin}", self._folder / "docker-compose")
        self.docker("rm", container)


def _trust_what_this_machine_trusts(root: Path) -> None:
    """Copies this machine's pip settings into a container, such as those of a proxy."""
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        shutil.copy(certificates, root / "etc/this-machine.crt")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/this-machine.crt\n")

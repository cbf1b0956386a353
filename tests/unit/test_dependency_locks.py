"""Locks of dependencies hold versions and hashes, and no download address."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "docker/requirements.lock",
        "docker/build.lock",
        "tests/contracts/requirements.lock",
        "tests/docs/requirements.lock",
    ],
)
def test_each_package_of_python_has_a_version_and_hashes_and_no_address(name):
    lock = (ROOT / name).read_text()
    packages = [line for line in lock.splitlines() if line and line[0] not in "# "]
    assert packages
    assert all("==" in package for package in packages)
    assert lock.count("--hash=sha256:") >= len(packages)
    assert "://" not in lock


def test_each_package_of_npm_has_a_version_and_a_hash_and_no_address():
    lock = json.loads((ROOT / "tests/npm/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["version"], name
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    wanted = json.loads((ROOT / "tests/npm/package.json").read_text())["devDependencies"]
    assert all(version[0].isdigit() for version in wanted.values()), "exact versions, no ranges"

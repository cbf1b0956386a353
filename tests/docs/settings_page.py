"""The reference of settings, made from the class that reads them."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Final

from annotated_types import Ge, Le, MinLen
from pydantic.fields import FieldInfo

from flexiprice.settings import PREFIX, SECRETS, Settings
from flexiprice.settings.secret_files import SUFFIX

# The first setting of each group, in the order of the class.
GROUPS: Final = {
    "database_url": "Servers and access",
    "recompute_schedule": "Schedules",
    "queue_limit": "Queues and workers",
    "days_threshold": "Prices and history",
    "database_pool_size": "Database connections",
    "log_level": "Logs",
}
_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1), ("millisecond", 0.001))


def settings_page() -> str:
    """The page's Markdown."""
    return "\n".join(
        [
            "# Settings",
            "",
            (
                f"FlexiPrice reads its settings from `{PREFIX}*` variables. Later sources win: "
                "`.flexiprice/up.env` (written by a running `flexiprice up`), `.env`, the environment."
            ),
            "",
            "- An empty variable counts as not set.",
            "- A duration is a number of seconds (`90`) or ISO 8601 (`PT1M30S`).",
            "- A list is separated by commas.",
            f"- Each secret may stand in a file instead, named by its variable with `{SUFFIX}`: "
            + ", ".join(f"`{_variable(name)}{SUFFIX}`" for name in SECRETS)
            + ".",
            "- `flexiprice doctor` names a variable that no setting reads.",
            *_tables(),
            "",
            "Generated from the code by `make reference`.",
            "",
        ]
    )


def _tables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            yield from (
                "",
                f"## {GROUPS[name]}",
                "",
                "| setting | default | meaning |",
                "| --- | --- | --- |",
            )
        yield f"| `{_variable(name)}` | {_default(field)} | {_meaning(field)} |"


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _meaning(field: FieldInfo) -> str:
    text = field.description or ""
    bounds = _bounds(field)
    return f"{text[:1].upper()}{text[1:]}." + (f" {bounds[:1].upper()}{bounds[1:]}." if bounds else "")


def _bounds(field: FieldInfo) -> str:
    least = next((_said(bound.ge) for bound in field.metadata if isinstance(bound, Ge)), None)
    most = next((_said(bound.le) for bound in field.metadata if isinstance(bound, Le)), None)
    if any(isinstance(bound, MinLen) and not isinstance(field.default, str) for bound in field.metadata):
        return "at least one"
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"at least {least}" if least is not None else ""


def _said(value: object) -> str:
    return duration(value) if isinstance(value, timedelta) else f"{value:,}"


def duration(value: timedelta) -> str:
    """A duration in the largest unit that it is a whole number of."""
    seconds = value.total_seconds()
    name, size = next(
        ((name, size) for name, size in _UNITS if seconds >= size and not seconds % size), _UNITS[-1]
    )
    number = seconds / size if seconds else 0
    name = name if seconds else "second"
    return f"{number:g} {name}{'' if number == 1 else 's'}"


def _default(field: FieldInfo) -> str:
    match field.get_default():
        case None | () | "":
            return "not set"
        case timedelta() as value:
            return f"`{value.total_seconds():g}` ({duration(value)})"
        case bool() as value:
            return f"`{str(value).lower()}`"
        case tuple() as value:
            return f"`{','.join(value)}`"
        case StrEnum() as value:
            return f"`{value.value}`"
        case value:
            return f"`{value}`"

"""The words of JSON output: those of the API, whatever the code calls a thing."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Final, cast

from flexiprice.jobs.origin import JobOrigin

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "job_id": "task_id",
        "new_job_id": "new_task_id",
        "parent_job_id": "parent_task_id",
        "running_job_ids": "running_task_ids",
        "state": "status",
        "by_state": "by_status",
    }
)


def in_api_words(value: object) -> object:
    """A result whose records have the API's names for their fields; what tasks were given and return stays.

    Keys of mappings are data, such as the arguments of a task, and are left alone.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        return {key: in_api_words(entry) for key, entry in entries.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        return [in_api_words(entry) for entry in cast("Sequence[object]", value)]
    return value


def _record(record: object) -> dict[str, object]:
    shown: dict[str, object] = {}
    for field in fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, JobOrigin):
            # The API has what caused a task beside the rest.
            shown |= _record(value)
        else:
            shown[_WORDS.get(field.name, field.name)] = in_api_words(value)
    return shown

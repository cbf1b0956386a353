"""Renames fields of JSON output to the API's names, such as `task_id` for `job_id`."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import singledispatch
from types import MappingProxyType
from typing import Final, cast

from flexiprice.queue.admin.queues import QueueState
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.source import JobSource

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "job_id": "task_id",
        "new_job_id": "new_task_id",
        "parent_job_id": "parent_task_id",
        "running_job_ids": "running_task_ids",
        "oldest_waiting": "oldest_waiting_seconds",
        "wait": "wait_seconds",
        "duration": "run_seconds",
    }
)


def in_api_words(value: object) -> object:
    """Converts a result to plain data, with the API's names for the fields of records.

    Keys of mappings are data, such as a task's arguments, and stay as they are.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return record_in_api_words(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 6)
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        return {key: in_api_words(entry) for key, entry in entries.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        return [in_api_words(entry) for entry in cast("Sequence[object]", value)]
    return value


def record_in_api_words(record: object) -> dict[str, object]:
    """Converts a dataclass, as `in_api_words` does."""
    shown: dict[str, object] = {}
    for field in fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, JobSource):
            # The API has the fields of a job's source beside the job's own.
            shown |= record_in_api_words(value)
        else:
            shown[_WORDS.get(field.name, field.name)] = in_api_words(value)
    return shown | further_facts(record, shown)


@singledispatch
def further_facts(record: object, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    """Returns facts that the API derives from a record. Commands register the types that they print.

    Args:
        record: a dataclass.
        shown: its fields by the API's names; an implementation removes fields that it replaces.
    """
    return {}


@further_facts.register
def _(record: QueueState, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    return {"paused": record.paused_at is not None}


@further_facts.register
def _(record: ScheduleState, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    source = "workers" if record.is_published else "settings"
    return {"source": source, "disagreement": record.disagreement}

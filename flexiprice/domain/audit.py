"""The words for who changed what, and what came of it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, cast

JsonScalar = str | int | float | bool | None

ANONYMOUS: Final = "nobody"
"""Actor of what is asked for without a key that opens."""
MANY: Final = "many"
"""Actor of what several holders of keys were refused, counted together."""


class AuditSource(StrEnum):
    """The interface through which a person made a change; `folder` is the watched directory of imports."""

    API = "api"
    CLI = "cli"
    MONITOR = "monitor"
    FOLDER = "folder"


class AuditOutcome(StrEnum):
    """Outcomes of a request that a person made.

    Of a failed change it is not known whether it was made; a refused one was not made.
    """

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The value of a field before and after a change; money and lists as text; None where there is none."""

    old: JsonScalar
    new: JsonScalar


def changes_between(
    before: object | None, after: object | None, fields: tuple[str, ...], *, named_by: tuple[str, ...] = ()
) -> dict[str, FieldChange]:
    """The fields in which two records differ.

    Args:
        before: the record before the change; None where it was created.
        after: the record after the change; None where it was deleted.
        fields: names of the attributes to compare.
        named_by: names of those that the natural name is made of: told only where they change, because the
            name tells them of what is created or deleted.
    """
    if before is not None and after is not None:
        fields = (*named_by, *fields)
    values = {
        name: FieldChange(_plain(getattr(before, name, None)), _plain(getattr(after, name, None)))
        for name in fields
    }
    return {name: change for name, change in values.items() if change.old != change.new}


def _plain(value: object) -> JsonScalar:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, cast("list[object]", value))) or None
    return value if value is None or isinstance(value, bool | int | float) else str(value)

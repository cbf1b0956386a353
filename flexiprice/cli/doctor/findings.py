"""The findings of `flexiprice doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check of one subject, with its remedy where it is not OK."""

    health: Health
    subject: str
    detail: str
    advice: str = ""

"""What `flexiprice doctor` finds: how a thing is, and what to do where it is not well."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is, and what to do where it is not well."""

    health: Health
    subject: str
    detail: str
    advice: str = ""

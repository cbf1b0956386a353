"""The words for who changed what."""

from enum import StrEnum


class AuditSource(StrEnum):
    """The door through which a person changed something."""

    API = "api"
    CLI = "cli"
    MONITOR = "monitor"

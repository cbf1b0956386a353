"""An audit writer for tests of what it is told."""

from api.audit_writer import AuditWriter
from flexiprice.services.audit import Change


class ToldWriter(AuditWriter):
    """Keeps what it is told, and writes nothing."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def tell(self, change: Change) -> None:
        self.changes.append(change)

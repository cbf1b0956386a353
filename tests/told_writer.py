"""An audit writer for tests of what it is told."""

from api.audit.buffer import AuditWriter
from flexiprice.access.audit_log import AuditEvent


class ToldWriter(AuditWriter):
    """Keeps what it is told, and writes nothing."""

    def __init__(self) -> None:
        self.changes: list[AuditEvent] = []

    def tell(self, change: AuditEvent) -> None:
        self.changes.append(change)

"""An audit writer that keeps its events."""

from api.audit.buffer import AuditWriter
from flexiprice.access.audit_log import AuditEvent


class RecordingAuditWriter(AuditWriter):
    """Keeps the events of requests, and writes none."""

    def __init__(self) -> None:
        self.changes: list[AuditEvent] = []

    def tell(self, change: AuditEvent) -> None:
        self.changes.append(change)

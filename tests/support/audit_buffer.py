"""An audit buffer that keeps its events."""

from api.audit.buffer import AuditBuffer
from flexiprice.access.audit_log import AuditEvent


class RecordingAuditBuffer(AuditBuffer):
    """Keeps the events of requests, and writes none."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def add(self, event: AuditEvent) -> None:
        self.events.append(event)

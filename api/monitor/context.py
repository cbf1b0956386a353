"""What the pages of one process share, and how a page comes by it."""

from dataclasses import dataclass
from typing import cast

from nicegui import ui

from api.audit.refusals import Refusals
from api.monitor.auth.sessions import Access
from api.monitor.auth.user import Viewer
from api.monitor.state.live import Live
from api.urls import address
from flexiprice.domain.run import RunTrigger
from flexiprice.queue.source import JobSource
from flexiprice.resources import Resources


@dataclass(frozen=True, slots=True)
class MonitorContext:
    """Opened once for all pages.

    Attributes:
        resources: the ways to PostgreSQL and Redis.
        live: what is read of them all the time, once for all who look.
        access: who is let in.
        refusals: counts who is refused, for the audit.
    """

    resources: Resources
    live: Live
    access: Access
    refusals: Refusals


def current_monitor() -> MonitorContext:
    """That of the page that is being built or acted on."""
    return cast("MonitorContext", ui.context.client.request.state.monitor)


def current_viewer() -> Viewer:
    """Who looks at the page that is being built or acted on."""
    return cast("Viewer", ui.context.client.request.state.viewer)


def own_address(path: str) -> str:
    """Where a path of the monitor is for the browser of the page that is being built or acted on."""
    return address(ui.context.client.request, path)


def current_origin() -> JobSource:
    """What a job that this viewer has enqueued tells of where it came from."""
    return JobSource(trigger=RunTrigger.MONITOR, actor=current_viewer().name)

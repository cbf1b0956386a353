"""What the pages of one process share, and how a page comes by it."""

from dataclasses import dataclass
from typing import cast

from nicegui import ui

from api.audit_refusals import Refusals
from api.monitor.access import Access
from api.monitor.live import Live
from api.monitor.viewer import Viewer
from api.paths import address
from flexiprice.domain.run import RunTrigger
from flexiprice.jobs.origin import JobOrigin
from flexiprice.resources import Resources


@dataclass(frozen=True, slots=True)
class Monitor:
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


def current_monitor() -> Monitor:
    """That of the page that is being built or acted on."""
    return cast("Monitor", ui.context.client.request.state.monitor)


def current_viewer() -> Viewer:
    """Who looks at the page that is being built or acted on."""
    return cast("Viewer", ui.context.client.request.state.viewer)


def own_address(path: str) -> str:
    """Where a path of the monitor is for the browser of the page that is being built or acted on."""
    return address(ui.context.client.request, path)


def current_origin() -> JobOrigin:
    """What a job that this viewer has enqueued tells of where it came from."""
    return JobOrigin(trigger=RunTrigger.MONITOR, actor=current_viewer().name)

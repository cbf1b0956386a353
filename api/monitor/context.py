"""Gives pages access to the objects that all pages of a process share."""

from dataclasses import dataclass
from typing import cast

from nicegui import ui

from api.audit.refusals import RefusalLog
from api.monitor.auth.sessions import SessionAuthenticator
from api.monitor.auth.user import User
from api.monitor.state.live import Live
from api.urls import address
from flexiprice.domain.run import RunTrigger
from flexiprice.queue.source import JobSource
from flexiprice.resources import Resources


@dataclass(frozen=True, slots=True)
class MonitorContext:
    """The objects that all pages share.

    Attributes:
        resources: connections to PostgreSQL and Redis.
        live: the latest snapshot, polled once for all pages.
        auth: authenticates users.
        refusals: records refused requests in the audit log.
    """

    resources: Resources
    live: Live
    auth: SessionAuthenticator
    refusals: RefusalLog


def current_monitor() -> MonitorContext:
    """Returns the context of the current page."""
    return cast("MonitorContext", ui.context.client.request.state.monitor)


def current_user() -> User:
    """Returns the user of the current page."""
    return cast("User", ui.context.client.request.state.user)


def own_address(path: str) -> str:
    """Returns the URL of a path of the monitor as the current page's browser must request it."""
    return address(ui.context.client.request, path)


def current_source() -> JobSource:
    """Returns the source of the jobs that the current user enqueues."""
    return JobSource(trigger=RunTrigger.MONITOR, actor=current_user().name)

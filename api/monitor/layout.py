"""The layout of every page: navigation, header and status line, and the decorator that registers pages."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Final, ParamSpec

from fastapi import Request, Response
from nicegui import Client, ui

from api.monitor.components.empty_states import Failure, Placeholder
from api.monitor.components.instants import add_server_clock
from api.monitor.components.links import Form, Link, add_style_sheet
from api.monitor.components.text import Text
from api.monitor.context import current_monitor, current_user, own_address
from api.monitor.middleware import LOGIN
from api.monitor.state.health import Severity, find_alerts
from api.monitor.state.snapshot import Snapshot
from api.security.admin_guard import LOOPBACK_IS_OPEN
from flexiprice.errors import FlexiPriceError
from flexiprice.telemetry import get_logger

# Generous: on an overloaded machine a late page is better than none.
_BUILD_SECONDS: Final = 30.0
_log = get_logger(__name__)
Arguments = ParamSpec("Arguments")
_THEME: Final = "theme"
_THEMES: Final = {
    "auto": ("brightness_auto", None),
    "light": ("light_mode", False),
    "dark": ("dark_mode", True),
}


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation."""

    path: str
    name: str
    icon: str


SECTIONS: Final = (
    Section("/", "Overview", "space_dashboard"),
    Section("/tasks", "Tasks", "list_alt"),
    Section("/dead-letters", "Dead letters", "report"),
    Section("/workers", "Workers", "memory"),
    Section("/queues", "Queues", "inbox"),
    Section("/schedules", "Schedules", "event_repeat"),
    Section("/statistics", "Statistics", "query_stats"),
    Section("/prices", "Prices", "sell"),
    Section("/imports", "Imports", "upload_file"),
    Section("/stores", "Stores", "store"),
    Section("/broker", "Broker & database", "storage"),
    Section("/audit", "Audit", "history"),
    Section("/help", "Help", "help_outline"),
)


def page(
    path: str, title: str, *, section: str | None = None
) -> Callable[[Callable[Arguments, Awaitable[None]]], Callable[Arguments, Awaitable[None]]]:
    """Registers a page: the decorated coroutine builds its content inside the layout.

    Args:
        path: path with FastAPI's `{parameters}`; path and query parameters are arguments of the function.
        title: heading of the page and title of the browser's window.
        section: path of the navigation entry to highlight; by default the page's own.
    """

    def decorate(build: Callable[Arguments, Awaitable[None]]) -> Callable[Arguments, Awaitable[None]]:
        @wraps(build)
        async def framed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            await current_monitor().live.fresh()
            _frame(section or path)
            with _content():
                Text("h1", title)
                await _built(build(*args, **kwargs))

        ui.page(path, title=f"{title} · FlexiPrice", response_timeout=_BUILD_SECONDS)(framed)
        return framed

    return decorate


async def show_not_found(request: Request, _: Exception) -> Response:
    """Responds to a request for a page that does not exist."""
    with Client(ui.page("", title="Not found · FlexiPrice"), request=request) as client:
        _frame("")
        with _content():
            Text("h1", "Not found")
            with ui.element("section").classes("card"):
                Placeholder(
                    "There is no such page", "The link may come from another version.", icon="search_off"
                )
    return client.build_response(request, 404)


async def _built(building: Awaitable[None]) -> None:
    try:
        await building
    except FlexiPriceError as error:
        Failure().show(error.message)
    except Exception:  # noqa: BLE001 -- any error of a page
        # The layout with its status line is still worth showing.
        _log.exception("page_not_built")
        Failure().show("This page failed to load. The monitor's log has the error; reload to try again.")


def _content() -> ui.element:
    # Not a `main`: Quasar wraps every page in one, and a page must have only one.
    return ui.element("div").props("id=content tabindex=-1").classes("page")


def follow(render: Callable[[Snapshot], None]) -> None:
    """Renders the current page now and after every poll, at most once a second, while it is open.

    Args:
        render: updates the elements of the page; creates elements only inside a given one (`with place: …`).
    """
    client = ui.context.client
    live = current_monitor().live

    def render_if_connected(now: Snapshot) -> None:
        # A browser that reconnects is rendered after the next poll.
        if client.has_socket_connection:
            with client:
                render(now)

    render(live.latest)
    client.on_delete(live.subscribe(render_if_connected))


def _frame(section: str) -> None:
    add_style_sheet("monitor")
    add_server_clock(current_monitor().live.now())
    # First in the body, so that the keyboard reaches it first.
    ui.add_body_html('<a class="skip" href="#content">Skip to the content</a>')
    with ui.left_drawer(value=None, bordered=True).props("breakpoint=900 width=216").classes("nav") as drawer:
        with Link("/", classes="brand"):
            icon = own_address("/assets/favicon.svg")
            # The empty `alt` marks it as decorative: the name is beside it.
            ui.element("img").props(f'src={icon} alt="" width=28 height=28 role=presentation')
            ui.label("FlexiPrice")
        with ui.element("nav").props("aria-label=Pages"):
            for entry in SECTIONS:
                _link(entry, is_current=entry.path == section)
    if current_monitor().auth.is_open:
        # On every page and without a close button, so that it is not overlooked.
        Text("div", LOOPBACK_IS_OPEN, classes="open-loopback").props("role=alert")
    with ui.header(bordered=False).classes("bar"):
        ui.button(icon="menu", on_click=drawer.toggle).props(
            "flat round dense aria-label='Show or hide the navigation'"
        ).classes("bar-menu")
        _state_line()
        ui.space()
        _theme_choice()
        _who()


def _link(entry: Section, *, is_current: bool) -> None:
    with Link(entry.path, classes="nav-link") as link:
        if is_current:
            link.props("aria-current=page")
        ui.icon(entry.icon).props("aria-hidden=true")
        ui.label(entry.name)


def _state_line() -> None:
    with Link("/", classes="state-line") as line:
        icon = ui.icon("").props("aria-hidden=true")
        # The role is on the text: on the link it would hide the link from screen readers.
        label = ui.label().props("role=status").classes("state-text")
    shown: list[object] = []
    auth, user = current_monitor().auth, current_user()

    def render(now: Snapshot) -> None:
        if auth.revalidate(user) is None:
            # Logged out in another window, or the key was revoked or changed.
            ui.navigate.to(LOGIN)
            return
        alerts = find_alerts(now)
        severity = max((alert.severity for alert in alerts), default=Severity.GOOD)
        text = alerts[0].title if alerts else "All is well"
        if len(alerts) > 1:
            text = f"{text} (+{len(alerts) - 1})"
        if shown == [severity, text]:
            return
        shown[:] = [severity, text]
        icon.name = severity.icon
        label.text = text
        line.classes(replace=f"state-line level-{severity.name.lower()}")
        # Visible in the tab bar while another tab is open.
        sign = {Severity.WARNING: "⚠ ", Severity.BAD: "✖ "}.get(severity, "")
        ui.run_javascript(f"document.title = {json.dumps(sign + ui.context.client.resolve_title())}")

    follow(render)


def _theme_choice() -> None:
    request = ui.context.client.request
    chosen = request.cookies.get(_THEME, "auto")
    chosen = chosen if chosen in _THEMES else "auto"
    dark = ui.dark_mode(_THEMES[chosen][1])

    def choose(theme: str) -> None:
        icon, dark.value = _THEMES[theme]
        button.props(f"icon={icon}")
        ui.run_javascript(
            f'document.cookie = "{_THEME}={theme}; path={own_address("/")}; max-age=31536000; samesite=lax"'
        )

    with (
        ui.button(icon=_THEMES[chosen][0]).props("flat round dense aria-label='Light or dark'") as button,
        ui.menu(),
    ):
        for theme, meaning in {"auto": "As the system", "light": "Light", "dark": "Dark"}.items():
            ui.menu_item(meaning, on_click=partial(choose, theme))


def _who() -> None:
    user = current_user()
    rights = "may operate" if user.may_operate else "may reprice" if user.may_price else "read-only"
    if user.session is None:
        ui.label("this machine, no key").classes("who")
        return
    button = ui.button(icon="person").props("flat round dense aria-label='Who is logged in'")
    with button, ui.menu(), ui.element("div").classes("who-menu"):
        ui.label(user.name).classes("who-name")
        ui.label(rights).classes("quiet")
        with Form("/logout", method="post"):
            Text("button", "Log out", classes="plain-button").props("type=submit")

"""Chromium, and a page in it that records errors of the console and the network."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import TimeoutError as Overdue

from tests.browser.harness import FULL_KEY

CHROMIUM = Path(os.environ.get("FLEXIPRICE_TEST_CHROMIUM", "/usr/bin/chromium"))
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

_DRAWN = """() => document.fonts.status === 'loaded'
    && document.getAnimations().every(each => each.playState !== 'running')
    && [...document.querySelectorAll('div[role=img]')].every(chart => chart.querySelector('canvas'))"""


class Served(Protocol):
    """A harness that serves the monitor."""

    @property
    def address(self) -> str:
        """Where it is, without a path that ends in a slash."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """A window of the browser, and the errors recorded in it.

    Attributes:
        page: Playwright's page.
        complaints: what the console or a script complained of.
        strangers: addresses elsewhere that something was asked of.
    """

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._heed(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("websocket", lambda socket: self._see(socket.url))

    async def open(self, path: str) -> Page:
        """Opens a page of the monitor, and returns when it is in touch with the server."""
        await self.page.goto(self.address + path)
        try:
            await self.page.wait_for_function("window.did_handshake === true")
        except Overdue as error:
            raise AssertionError(f"{self.page.url} is not in touch: {self.complaints}") from error
        return self.page

    async def until_drawn(self) -> None:
        """Returns when letters and charts are drawn, and nothing moves."""
        await self.page.wait_for_function(_DRAWN)

    async def height(self) -> int:
        """The height of the document in pixels."""
        height: int = await self.page.evaluate("document.documentElement.scrollHeight")
        return height

    async def width(self) -> int:
        """The width of the document in pixels."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth")
        return width

    def expect_nothing_amiss(self) -> None:
        """Fails where there was a complaint, or anything was asked of another machine."""
        assert not self.complaints, self.complaints
        assert not self.strangers, self.strangers

    def _heed(self, kind: str, text: str) -> None:
        # A network interface that appears or disappears on this machine is no fault of the page.
        if kind in {"error", "warning"} and "ERR_NETWORK_CHANGED" not in text:
            self.complaints.append(text)

    def _see(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.address).netloc:
            self.strangers.append(url)


@asynccontextmanager
async def visiting(
    browser: Browser, harness: Served, *, key: str | None = FULL_KEY, **context: Any
) -> AsyncIterator[Visit]:
    """A window of a user who has logged in; fails at its end where an error was recorded.

    Args:
        browser: where.
        harness: what is shown.
        key: to log in with; None stays logged out.
        **context: as Playwright has it, such as `viewport`.
    """
    async with await browser.new_context(timezone_id="Europe/Berlin", **context) as window:
        if key is not None:
            answer = await window.request.post(f"{harness.address}/login", form={"key": key}, max_redirects=0)
            assert answer.status == 303
        visit = Visit(await window.new_page(), harness.address)
        visit.page.set_default_timeout(60_000)
        yield visit
        visit.expect_nothing_amiss()

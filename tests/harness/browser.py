"""Drives Chromium, and records errors and every request that leaves the server under test."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Response, async_playwright, expect

from tests.harness.waiting import PATIENCE_SECONDS

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOCAL_SCHEMES = {"data", "blob", "about"}


def executable() -> str | None:
    """The path of Chromium, if it is installed."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@asynccontextmanager
async def launch_browser() -> AsyncGenerator[Browser]:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """A browser context at one server, with the errors and the foreign requests of all its tabs."""

    context: BrowserContext
    address: str
    foreign_urls: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    async def open(self, path: str) -> Page:
        """Open a path of the server in a new tab."""
        page = await self.context.new_page()
        page.on("request", lambda request: self._record_foreign_url(request.url))
        page.on("websocket", lambda socket: self._record_foreign_url(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._record_console_error)
        page.on("response", self._record_failed_response)
        await page.goto(f"http://{self.address}{path}")
        return page

    def _record_console_error(self, message: ConsoleMessage) -> None:
        # The browser logs each failed fetch; the page handles those, and the tests assert on them.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    def _record_failed_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type not in ("fetch", "xhr"):
            self.errors.append(f"{response.status} {response.url}")

    def _record_foreign_url(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in LOCAL_SCHEMES and parts.netloc != self.address:
            self.foreign_urls.append(url)


@asynccontextmanager
async def open_visit(browser: Browser, address: str, width: int = 1360, height: int = 900) -> AsyncGenerator[Visit]:
    """Open a browser context, and assert at its end that it saw no errors and made no foreign requests."""
    async with await browser.new_context(viewport={"width": width, "height": height}) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened = Visit(context, address)
        yield opened
    assert opened.foreign_urls == []
    assert opened.errors == []

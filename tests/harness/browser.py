"""A real browser, Debian's Chromium, which tells of every request that leaves the host and of every complaint."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Response, async_playwright, expect

from tests.harness.patience import PATIENCE_SECONDS

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OF_THE_PAGE = {"data", "blob", "about"}


def executable() -> str | None:
    """Where the browser is, if there is one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@asynccontextmanager
async def launched() -> AsyncGenerator[Browser]:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """One person's browser at one server: as many tabs as they like, and all that went wrong in them."""

    context: BrowserContext
    place: str
    foreign: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    async def open(self, path: str) -> Page:
        """A new tab, at a path of the server."""
        page = await self.context.new_page()
        page.on("request", lambda request: self._look_at(request.url))
        page.on("websocket", lambda socket: self._look_at(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        page.on("response", self._judge)
        await page.goto(f"http://{self.place}{path}")
        return page

    def _listen(self, said: ConsoleMessage) -> None:
        # That an answer is a refusal is for the page to tell, and for the test to expect.
        if said.type == "error" and not said.text.startswith("Failed to load resource"):
            self.complaints.append(said.text)

    def _judge(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type not in ("fetch", "xhr"):
            self.complaints.append(f"{response.status} {response.url}")

    def _look_at(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in OF_THE_PAGE and parts.netloc != self.place:
            self.foreign.append(url)


@asynccontextmanager
async def visiting(browser: Browser, place: str, width: int = 1360, height: int = 900) -> AsyncGenerator[Visit]:
    """A visit, at whose end nothing foreign was asked for and nothing was complained of."""
    async with await browser.new_context(viewport={"width": width, "height": height}) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit = Visit(context, place)
        yield visit
    assert visit.foreign == []
    assert visit.complaints == []

"""CORS in a real browser."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.harness.server import Server, run_server

pytestmark = pytest.mark.slow

ASK = """async ([url, token]) => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  try {
    const answer = await fetch(url, { method: 'POST', headers, body: '{"query": "{ viewer { id } }"}' });
    return [answer.status, answer.headers.get('x-request-id').length, (await answer.json()).data];
  } catch (error) { return String(error); }
}"""
GET = """async ([url, mode]) => {
  try {
    const answer = await fetch(`${url}?query={__typename}`, { mode });
    return [answer.type, answer.status];
  } catch (error) { return String(error); }
}"""
DIAL = """([url]) => new Promise((done) => {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  socket.onopen = () => done('open');
  socket.onclose = ({ code }) => done(code);
})"""


@asynccontextmanager
async def pages(browser: Browser) -> AsyncGenerator[tuple[str, Page]]:
    """Another origin, and an empty page on it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as host, await browser.new_context() as context:
        origin = f"http://127.0.0.1:{host.sockets[0].getsockname()[1]}"
        page = await context.new_page()
        await page.goto(origin)
        yield origin, page


async def fetch_results(page: Page, server: Server) -> list[Any]:
    """What a page can read over each transport."""
    arguments = [server.url, server.token("7")]
    return [
        await page.evaluate(ASK, arguments),
        await page.evaluate(GET, [server.url, "cors"]),
        await page.evaluate(DIAL, [server.ws_url]),
    ]


async def test_only_a_page_of_a_listed_origin_queries_and_watches(browser: Browser, tmp_path: Path) -> None:
    async with pages(browser) as (origin, page), pages(browser) as (_, stranger):
        with run_server(tmp_path, allowed_origins=origin) as server:
            assert await fetch_results(page, server) == [[200, 32, {"viewer": {"id": "7"}}], ["cors", 200], "open"]
            assert await fetch_results(stranger, server) == [
                "TypeError: Failed to fetch",
                "TypeError: Failed to fetch",
                1006,
            ]
            await stranger.evaluate(GET, [server.url, "no-cors"])
            assert '"status": 403' in server.log

"""Where the keys of an identity provider are fetched from. Whatever that server does, it gets little time and room."""

import asyncio
from urllib.parse import urlsplit

import httpx2

from app.web.callers.keys import NoKeys

FETCH_SECONDS = 4.0
MAX_BYTES = 262_144
# An answer that is packed may be far larger than it looks, and one that was kept elsewhere is of yesterday.
HEADERS = {"accept": "application/json", "accept-encoding": "identity", "cache-control": "no-cache"}


class KeyServer:
    """One address, asked by GET. Redirects lead where nobody has said that keys may come from, so none is followed."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Proxies and certificate authorities may come from the environment, but nothing stands before the loopback.
        self._client = httpx2.AsyncClient(trust_env=urlsplit(url).scheme == "https", follow_redirects=False)

    async def fetch(self) -> bytes:
        """What it answers. Raises NoKeys."""
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._client.stream("GET", self.url, headers=HEADERS) as answer:
                return await _body(answer)
        except TimeoutError:
            raise NoKeys(f"it did not answer within {FETCH_SECONDS:g} seconds") from None
        except httpx2.HTTPError as error:
            raise NoKeys(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        await self._client.aclose()


async def _body(answer: httpx2.Response) -> bytes:
    if answer.status_code != 200:
        raise NoKeys(f"it answered with status {answer.status_code}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise NoKeys("its response is compressed")
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > MAX_BYTES:
            raise NoKeys(f"its answer is larger than {MAX_BYTES} bytes")
    return bytes(body)

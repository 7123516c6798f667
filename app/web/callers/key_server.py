"""Fetches the keys of an identity provider over HTTP, with limits on time and size."""

import asyncio
from urllib.parse import urlsplit

import httpx2

from app.web.callers.keys import NoKeys

FETCH_SECONDS = 4.0
MAX_BYTES = 262_144
# A compressed response may expand without bound, and a cached one may be out of date.
HEADERS = {"accept": "application/json", "accept-encoding": "identity", "cache-control": "no-cache"}


class KeyServer:
    """A URL that serves a key set. Redirects are not followed: they could lead to a server that nobody trusts."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Proxies and certificate authorities may be set in the environment, but the loopback needs neither.
        self._client = httpx2.AsyncClient(trust_env=urlsplit(url).scheme == "https", follow_redirects=False)

    async def fetch(self) -> bytes:
        """The body of the response. Raises NoKeys."""
        try:
            request = self._client.stream("GET", self.url, headers=HEADERS)
            async with asyncio.timeout(FETCH_SECONDS), request as response:
                return await _read_body(response)
        except TimeoutError:
            raise NoKeys(f"it did not respond within {FETCH_SECONDS:g} seconds") from None
        except httpx2.HTTPError as error:
            raise NoKeys(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        await self._client.aclose()


async def _read_body(response: httpx2.Response) -> bytes:
    if response.status_code != 200:
        raise NoKeys(f"it responded with status {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoKeys("its response is compressed")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise NoKeys(f"its response is larger than {MAX_BYTES} bytes")
    return bytes(body)

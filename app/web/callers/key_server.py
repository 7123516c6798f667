"""Fetches the keys of an identity provider over HTTP, with limits on time and size."""

import asyncio
from urllib.parse import urlsplit

import httpx2

from app.web.callers.keys import NoKeys, parse_object

FETCH_SECONDS = 4.0
MAX_BYTES = 262_144
# A compressed response may expand without bound, and a cached one may be out of date.
HEADERS = {"accept": "application/json", "accept-encoding": "identity", "cache-control": "no-cache"}


class KeyServer:
    """A URL that serves a key set. Redirects are not followed: they could lead to a server that nobody trusts."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Proxies and certificate authorities may be set in the environment, but the loopback needs neither.
        # A connection that is used again may be closed by the server at that moment, and the fetch would fail.
        once = httpx2.Limits(max_keepalive_connections=0)
        is_remote = urlsplit(url).scheme == "https"
        self._client = httpx2.AsyncClient(trust_env=is_remote, follow_redirects=False, limits=once)

    async def fetch(self) -> bytes:
        """The body of the response. Raises NoKeys."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._fetch()
        except TimeoutError:
            raise NoKeys(f"it did not respond within {FETCH_SECONDS:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NoKeys(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _fetch(self) -> bytes:
        return await self._get(self.url)

    async def _get(self, url: str) -> bytes:
        async with self._client.stream("GET", url, headers=HEADERS) as response:
            return await _read_body(response)


class DiscoveredKeyServer(KeyServer):
    """An issuer whose metadata (OpenID Connect Discovery) says where its key set is, on its own host."""

    def __init__(self, issuer: str) -> None:
        super().__init__(f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        self._issuer = issuer

    async def _fetch(self) -> bytes:
        return await self._get(key_set_url(await self._get(self.url), self._issuer))


def key_set_url(metadata: bytes, issuer: str) -> str:
    """The `jwks_uri` in an issuer's metadata. Raises NoKeys unless it is the metadata of this issuer, on its host."""
    fields = parse_object(metadata)
    named, url = fields.get("issuer"), fields.get("jwks_uri")
    if named != issuer:
        raise NoKeys(f"it describes the issuer {str(named)[:200]!r}, not {issuer!r}")
    if not isinstance(url, str):
        raise NoKeys("it names no jwks_uri")
    if _origin(url) != _origin(issuer):
        raise NoKeys(f"its keys are on another host; if that is right, set the JWKS URL to {url[:200]!r}")
    return url


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None


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

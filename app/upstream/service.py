"""One HTTP service of the cloud: every call has a time limit, every answer a size limit, and nothing is sent twice."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import httpx2
import orjson

from app.histogram import Histogram
from app.upstream.errors import Refused, Unanswered, Unreached

# The page of 1,000 images that Glance sends at most has about a megabyte.
MAX_BYTES = 16_000_000
LONGEST_REASON = 255
# Statuses by which a service refuses. All others, 5xx above all, say nothing of what has become of the call.
REFUSALS = frozenset({400, 401, 403, 404, 409, 413})
JSON = "application/json"


class Response(NamedTuple):
    """A successful answer; `body` is its JSON, None when it is empty."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Service:
    """A client of one service. Redirects lead where nobody has said that tokens may go, so none is followed."""

    def __init__(self, url: str, seconds: float, max_connections: int = 32) -> None:
        self.url = url.rstrip("/")
        # How long the calls took, by status.
        self.durations: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._seconds = seconds
        self._client = httpx2.AsyncClient(
            trust_env=urlsplit(url).scheme == "https",
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            # A call that has waited for a connection for this long is not sent.
            timeout=httpx2.Timeout(seconds, pool=seconds / 2),
        )

    async def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Response:
        """Send one request. Raises Unreached, Unanswered or Refused."""
        sent = {"accept": JSON, "accept-encoding": "identity", **headers}
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            sent["content-type"] = content_type
        request = self._client.build_request(method, self.url + path, headers=sent, params=params, content=content)
        began, status = perf_counter(), "unanswered"
        try:
            response = await self._send_in_time(request)
            status = str(response.status)
            return response
        except Refused as refused:
            status = str(refused.status)
            raise
        except Unreached:
            status = "unreached"
            raise
        finally:
            self.durations[status].add(perf_counter() - began)

    async def close(self) -> None:
        await self._client.aclose()

    async def _send_in_time(self, request: httpx2.Request) -> Response:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._sent(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Unreached(f"{self.url} can't be reached: {type(error).__name__}") from None
        except TimeoutError:
            raise Unanswered(f"{self.url} did not answer within {self._seconds:g} s") from None
        except httpx2.HTTPError as error:
            raise Unanswered(f"{self.url} did not answer: {type(error).__name__}") from None

    async def _sent(self, request: httpx2.Request) -> Response:
        answer = await self._client.send(request, stream=True)
        try:
            text = await _bounded(answer)
        finally:
            await answer.aclose()
        if answer.is_success:
            return Response(answer.status_code, answer.headers, _parsed(text, self.url) if text else None)
        if answer.status_code in REFUSALS:
            raise Refused(answer.status_code, reason(text))
        raise Unanswered(f"{self.url} answered with status {answer.status_code}")


def reason(text: bytes) -> str:
    """The sentence in the body of a refusal, if it is one line of plain text that can be shown."""
    try:
        body: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    fields = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    inner = fields.get("error")
    message: Any = cast(dict[str, Any], inner).get("message") if isinstance(inner, dict) else fields.get("message")
    line = " ".join(message.replace("<br />", " ").split()) if isinstance(message, str) else ""
    return line if len(line) <= LONGEST_REASON and line.isprintable() and "<" not in line else ""


async def _bounded(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > MAX_BYTES:
            raise Unanswered(f"the answer is larger than {MAX_BYTES} bytes")
    return bytes(body)


def _parsed(text: bytes, url: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unanswered(f"{url} answered with what is not JSON") from None

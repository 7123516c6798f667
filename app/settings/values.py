"""Validators for values of settings. Each raises ValueError."""

import json
import re
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

ASYMMETRIC = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)  # fmt: skip


def safe_url_of_keys(url: str, plain_hosts: Collection[str] | None = None) -> str:
    """Require https, except on the loopback and for these hosts, since changed keys verify forged tokens."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if not host or parts.fragment or parts.username is not None or not url.isascii() or not url.isprintable():
        raise ValueError("must be a plain URL, without a name and a password")
    if parts.scheme != "https" and not (parts.scheme == "http" and (_is_loopback(host) or host in (plain_hosts or ()))):
        others = "only" if plain_hosts is None else "and the hosts in IMAGE_GATEWAY_AUTH_PLAIN_HTTP_HOSTS"
        raise ValueError(f"must be https; http is for the loopback {others}")
    return url


def asymmetric_algorithms(words: str) -> str:
    """Require asymmetric algorithms: published keys must verify signatures, but not create them."""
    if unknown := sorted(set(words.split()) - ASYMMETRIC):
        raise ValueError(f"can't have {', '.join(unknown)}; known are {', '.join(sorted(ASYMMETRIC))}")
    if not words.split():
        raise ValueError("must name an algorithm")
    return words


def duration(value: object) -> object:
    """An ISO 8601 duration, or seconds. Pydantic alone also accepts `7days` and `1:00`, but not plain seconds."""
    if not isinstance(value, str) or value.startswith("P"):
        return value
    if not _SECONDS.fullmatch(value):
        raise ValueError("must be an ISO 8601 duration such as P7D, or seconds")
    return float(value)


def regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    return pattern


def json_value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def hosts(words: str | None) -> str | None:
    """Names or addresses of hosts, with spaces between them."""
    for host in (words or "").split():
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not the name of a host in lower case, without scheme, port and wildcard")
    return words


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origins(listed: str) -> str:
    """A comma-separated list of origins as browsers send them."""
    for origin in _parts(listed):
        if not _ORIGIN.fullmatch(origin) or _DEFAULT_PORT.search(origin):
            raise ValueError(
                f"{origin!r} is not an origin such as https://console.example.org, in lower case, without a path, "
                "a default port or a wildcard"
            )
    return listed


def networks(listed: str) -> str:
    """A comma-separated list of addresses and networks."""
    for part in _parts(listed):
        try:
            ip_network(part)
        except ValueError as error:
            raise ValueError(f"{part!r} is no address or network: {error}") from error
    return listed


def _parts(listed: str) -> list[str]:
    return [part.strip() for part in listed.split(",")]


_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
_HOST = re.compile(r"[0-9a-f:]*:[0-9a-f:]+|[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_DEFAULT_PORT = re.compile(r"^http://.*:80$|^https://.*:443$")

"""Validators for values of settings. Each raises ValueError."""

import random
import re
import uuid
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

ASYMMETRIC = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)  # fmt: skip


def safe_url_of_keys(url: str) -> str:
    """Require https, except on the loopback: who can change the keys in transit could forge any token."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if not host or parts.fragment or parts.username is not None or not url.isascii() or not url.isprintable():
        raise ValueError("must be a plain URL, without a name and a password")
    if parts.scheme not in ("http", "https") or (parts.scheme == "http" and not _is_loopback(host)):
        raise ValueError("must be https; http is for the loopback only")
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


def apart_from_uuids(pattern: str) -> str:
    """A regular expression that matches no UUID."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if any(compiled.fullmatch(sample) for sample in _uuid_samples()):
        raise ValueError("could match the form of a UUID, so a tenant ID could pass for an image ID")
    return pattern


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _uuid_samples() -> list[str]:
    """UUIDs of every version and digit, always the same: any pattern for UUIDs matches one of them."""
    digits, dice = "0123456789abcdef", random.Random(4122)
    uniform = [f"{d * 8}-{d * 4}-{d * 4}-{d * 4}-{d * 12}" for d in digits]
    thrown = [str(uuid.UUID(int=dice.getrandbits(128), version=version)) for version in range(1, 6) for _ in range(50)]
    return [form for sample in uniform + thrown for form in (sample, sample.upper())]


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
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_DEFAULT_PORT = re.compile(r"^http://.*:80$|^https://.*:443$")

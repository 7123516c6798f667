"""Tells requests of this machine's own pages from all others, by their address and headers."""

import re
from ipaddress import ip_address

from starlette.requests import Request

_HOST = re.compile(r"(localhost)\.?(?::[0-9]{1,5})?|(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def is_from_loopback(request: Request) -> bool:
    """Whether the request was sent to a name of the loopback, from the loopback, and without a proxy.

    A page whose own name was made to resolve to the loopback (DNS rebinding) has its name in `Host`.
    """
    headers = request.headers
    hosts = headers.getlist("host")
    is_direct = not any(name in headers for name in _FORWARDED)
    is_local = request.client is not None and is_loopback(request.client.host)
    is_named = len(hosts) == 1 and names_loopback(hosts[0])
    return is_named and is_direct and is_local


def names_loopback(host: str) -> bool:
    """Whether the value of a `Host` header always resolves to the loopback, whatever a name server says."""
    found = _HOST.fullmatch(host.lower())
    return found is not None and (found[1] is not None or is_loopback(found[2] or found[3]))


def is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False

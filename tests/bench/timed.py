"""Times single requests on one connection, as a caller could."""

import json
from collections.abc import Callable, Mapping
from random import Random
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection
from statistics import median
from time import perf_counter
from typing import Any

PATIENCE_SECONDS = 60
Times = dict[str, list[float]]


class TimedConnection:
    """A keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def send(self, request: bytes) -> tuple[float, Any]:
        """Send a request, and return the microseconds until the whole response has arrived, and the response."""
        began = perf_counter()
        self._socket.sendall(request)
        response = self._response()
        spent = perf_counter() - began
        head, _, body = response.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), response[:2000]
        return spent * 1e6, json.loads(body)

    def close(self) -> None:
        self._socket.close()

    def _response(self) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        [length] = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < int(length):
            body += self._more()
        return head + b"\r\n\r\n" + body

    def _more(self) -> bytes:
        received = self._socket.recv(1 << 20)
        assert received, "the server hung up"
        return received


def median_times(cases: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, float]:
    """The median of each case. Every round runs all cases in a random order."""
    times, order, dice = {name: list[float]() for name in cases}, list(cases), Random(4122)
    for turn in range(rounds):
        dice.shuffle(order)
        for name in order:
            times[name].append(cases[name](turn))
    return {name: median(spent) for name, spent in times.items()}


def row(name: str, medians: Mapping[str, float]) -> str:
    """A row of the medians, and their ratios to the first one."""
    first = next(iter(medians.values()))
    return f"{name:14}" + "".join(f"  {one:9.0f} ({one / first:5.3f})" for one in medians.values())


def head(name: str, cases: Mapping[str, float]) -> str:
    return f"{name:14}" + "".join(f"  {case:>17}" for case in cases)

"""JSON as clients send it, with no number changed on its way in.

orjson reads integers beyond 64 bits as floats, which would make another ID of them, and drops the sign of `-0`.
"""

import json
import re
from collections.abc import Callable
from typing import Any, cast

import orjson

# More digits than any value of the schema has. Python refuses to read some thousands of them, since it takes long.
_MOST_DIGITS = 1_000
_kind: Callable[[Any], Any] = type
_BEYOND_FLOAT = re.compile(rb"\d{300,}|(?<=\d)[eE]\+?\d{3,}")


def loads(data: bytes | bytearray | str) -> Any:
    """The value. Integers are exact, whatever their size; what was written with a fraction or an exponent is a float.

    Raises orjson.JSONDecodeError.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
        orjson.loads(_BEYOND_FLOAT.sub(b"1", _bytes(data)))  # whether all the rest of it is JSON
        return _exact(data)
    return _exact(data) if _may_differ(value) else value


def _may_differ(value: Any) -> bool:
    """Whether a number in it may not be what was sent: a float, or a zero that may have had a sign."""
    waiting: list[Any] = [[value]]
    while waiting:
        inner: Any = waiting.pop()
        for one in cast(list[Any], inner) if isinstance(inner, list) else inner.values():
            kind = _kind(one)
            if kind is str:
                continue
            if kind is float or (kind is int and not one):
                return True
            if kind is dict or kind is list:
                waiting.append(one)
    return False


def _exact(data: bytes | bytearray | str) -> Any:
    try:
        return json.loads(_bytes(data).decode(), parse_int=_integer)
    except RecursionError:
        raise orjson.JSONDecodeError("the value is nested too deeply", "", 0) from None


def _integer(digits: str) -> int | float:
    if len(digits) > _MOST_DIGITS:
        raise orjson.JSONDecodeError(f"a number has more than {_MOST_DIGITS} digits", "", 0)
    return -0.0 if digits == "-0" else int(digits)


def _bytes(data: bytes | bytearray | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)

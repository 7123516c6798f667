"""A JSON parser that keeps every number exact.

orjson parses integers beyond 64 bits as floats, which would turn one ID into another, and drops the sign of `-0`.
"""

import json
import re
from collections.abc import Callable
from typing import Any, cast

import orjson

# No value of the schema has as many digits. Python itself refuses integers of more than 4,300, which are slow to parse.
_MAX_DIGITS = 1_000
_type: Callable[[Any], Any] = type
_BEYOND_FLOAT = re.compile(rb"\d{300,}|(?<=\d)[eE]\+?\d{3,}")


def loads(data: bytes | bytearray | str) -> Any:
    """Parse JSON. Integers of any size stay exact; numbers with a fraction or an exponent become floats.

    Raises orjson.JSONDecodeError.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
        orjson.loads(_BEYOND_FLOAT.sub(b"1", _bytes(data)))  # raises if anything else is wrong
        return _exact(data)
    return _exact(data) if _may_differ(value) else value


def _may_differ(value: Any) -> bool:
    """Whether a number may differ from what was sent: a float, or a zero that may have had a sign."""
    stack: list[Any] = [[value]]
    while stack:
        container: Any = stack.pop()
        for item in cast(list[Any], container) if isinstance(container, list) else container.values():
            kind = _type(item)
            if kind is str:
                continue
            if kind is float or (kind is int and not item):
                return True
            if kind is dict or kind is list:
                stack.append(item)
    return False


def _exact(data: bytes | bytearray | str) -> Any:
    try:
        return json.loads(_bytes(data).decode(), parse_int=_integer)
    except RecursionError:
        raise orjson.JSONDecodeError("the value is nested too deeply", "", 0) from None


def _integer(digits: str) -> int | float:
    if len(digits) > _MAX_DIGITS:
        raise orjson.JSONDecodeError(f"a number has more than {_MAX_DIGITS} digits", "", 0)
    return -0.0 if digits == "-0" else int(digits)


def _bytes(data: bytes | bytearray | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)

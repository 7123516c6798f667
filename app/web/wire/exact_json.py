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
# More than any operation can use: what a stranger sends is walked through, and numbers are parsed one by one.
MAX_VALUES = 5_000
# Commas and brackets in strings look like more values, hence the allowance.
_MAX_SEPARATORS = 4 * MAX_VALUES
_type: Callable[[Any], Any] = type
# Each string as a whole, even one without an end, so that nothing inside of it is taken for a number.
_STRING_OR_NUMBER = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*"?)|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?', re.DOTALL)


def loads(data: bytes | bytearray | str) -> Any:
    """Parse JSON. Integers of any size stay exact; numbers with a fraction or an exponent become floats.

    Raises orjson.JSONDecodeError.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "infinity" not in str(error):
            raise
        _require_few_values(_bytes(data))
        orjson.loads(_STRING_OR_NUMBER.sub(_small_number, _bytes(data)))  # raises if anything else is wrong
        return _exact(data)
    return _exact(data) if _may_differ(value) else value


def _may_differ(value: Any) -> bool:
    """Whether a number may differ from what was sent: a float, or a zero that may have had a sign."""
    stack: list[Any] = [[value]]
    count = 0
    while stack:
        container: Any = stack.pop()
        if (count := count + len(container)) > MAX_VALUES:
            raise _too_many_values()
        for item in cast(list[Any], container) if isinstance(container, list) else container.values():
            kind = _type(item)
            if kind is str:
                continue
            if kind is float or (kind is int and not item):
                return True
            if kind is dict or kind is list:
                stack.append(item)
    return False


def _require_few_values(data: bytes) -> None:
    """Raises orjson.JSONDecodeError."""
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_SEPARATORS:
        raise _too_many_values()


def _too_many_values() -> orjson.JSONDecodeError:
    return orjson.JSONDecodeError(f"there are more than {MAX_VALUES} values", "", 0)


def _small_number(found: re.Match[bytes]) -> bytes:
    return found[1] or b"1"


def _exact(data: bytes | bytearray | str) -> Any:
    _require_few_values(_bytes(data))
    try:
        return json.loads(_bytes(data).decode(), parse_int=_integer)
    except RecursionError:
        raise orjson.JSONDecodeError("the value is nested too deeply", "", 0) from None
    except orjson.JSONDecodeError:
        raise
    except json.JSONDecodeError as error:
        raise orjson.JSONDecodeError(error.msg, "", 0) from None


def _integer(digits: str) -> int | float:
    if len(digits) > _MAX_DIGITS:
        raise orjson.JSONDecodeError(f"a number has more than {_MAX_DIGITS} digits", "", 0)
    return -0.0 if digits == "-0" else int(digits)


def _bytes(data: bytes | bytearray | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)

"""The results of the doctor's checks, with advice."""

from enum import StrEnum
from typing import NamedTuple


class Result(StrEnum):
    OK = "ok"
    # Worth a look, but the gateway can serve.
    NOTE = "note"
    FAIL = "fail"


class Check(NamedTuple):
    """The result of one check. `advice` says what to do, and is empty if the result is OK."""

    name: str
    result: Result
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Check:
    return Check(name, Result.OK, found)


def note(name: str, found: str, advice: str) -> Check:
    return Check(name, Result.NOTE, found, advice)


def fail(name: str, found: str, advice: str) -> Check:
    return Check(name, Result.FAIL, found, advice)


def ok_or_fail(name: str, is_ok: bool, found: str, advice: str) -> Check:
    return ok(name, found) if is_ok else fail(name, found, advice)

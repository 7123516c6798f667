"""What the doctor finds, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple


class Result(StrEnum):
    OK = "ok"
    # Worth a look, and no reason not to serve.
    NOTE = "note"
    FAIL = "fail"


class Check(NamedTuple):
    """One thing that was looked at. `advice` says what to do, unless all is well."""

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


def judged(name: str, is_well: bool, found: str, advice: str) -> Check:
    return ok(name, found) if is_well else fail(name, found, advice)

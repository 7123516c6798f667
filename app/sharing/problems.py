"""Collects every mistake of an input, so that a form can show all of them at once."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.errors import BadUserInput, Malformed

P = ParamSpec("P")
T = TypeVar("T")


class Mistakes:
    """The mistakes found in one input so far."""

    def __init__(self) -> None:
        self.found: list[BadUserInput] = []

    def check(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return the result of a check, or None if it found mistakes, which are collected."""
        try:
            return check(*args, **kwargs)
        except BadUserInput as mistake:
            self.found.append(mistake)
        except Malformed as malformed:
            self.found += malformed.mistakes
        return None

    def require_none(self) -> None:
        """Raise Malformed if there are any mistakes."""
        if self.found:
            raise Malformed(*self.found)

"""All that is wrong with one input, told at once, so that a form need not be sent once for each field."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.errors import BadUserInput, Malformed

P = ParamSpec("P")
T = TypeVar("T")


class Mistakes:
    """Collects the mistakes of one input while it is checked part by part."""

    def __init__(self) -> None:
        self.found: list[BadUserInput] = []

    def check(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What the check returns; None when it has found mistakes, which are kept."""
        try:
            return check(*args, **kwargs)
        except BadUserInput as mistake:
            self.found.append(mistake)
        except Malformed as malformed:
            self.found += malformed.mistakes
        return None

    def require_none(self) -> None:
        """Raises Malformed with all that was found."""
        if self.found:
            raise Malformed(*self.found)

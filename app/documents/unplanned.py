"""What keeps an operation from the short way. It is carried out field by field then, with the same answer."""

from typing import Any


class Unplanned(Exception):
    """The reason, in a word or two, by which such operations are counted."""


class Failed(Exception):
    """The operation was carried out, and there are errors to tell: it must not be carried out again."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result

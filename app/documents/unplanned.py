"""Exceptions for operations that a plan can't answer."""

from typing import Any


class Unplanned(Exception):
    """The operation has to be executed by graphql-core. The message is the reason, for the metrics."""


class ExecutedWithErrors(Exception):
    """The operation was executed, and must not be executed again. `result` has its errors."""

    def __init__(self, result: Any) -> None:
        super().__init__(result)
        self.result = result

"""Parses and validates documents with a deadline, because both block the event loop.

The default limits keep every document far below the deadlines, which matter if limits were raised or the machine is
overloaded. A step is a token, a node of a document, or a comparison of two fields.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager, suppress
from time import thread_time
from typing import Any, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    validate,
)
from graphql.language import parser
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping

from app.documents.limits import SMALLER, too_complex
from app.documents.validation_rules import AllRules, Rules
from app.errors import ErrorCode
from app.tracebacks import clear_tracebacks

# Each error costs time, and nobody reads more at once.
MAX_ERRORS = 10
# GraphQL's own bound is 25 times this, which is a second.
MAX_COMPARISONS = 20_000
STEPS_BETWEEN_CHECKS = 16


@contextmanager
def without_garbage_collection() -> Generator[None]:
    """Pause garbage collection, which takes up to hundreds of milliseconds that no document has caused."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Deadline:
    """A deadline in processor time, which does not depend on the load of the machine."""

    def __init__(self, doing: str, seconds: float) -> None:
        self._doing = doing
        self._seconds = seconds
        self._until = thread_time() + seconds
        self._steps = 0

    def check(self) -> None:
        """Count a step, and raise GraphQLError if the time is up."""
        self._steps += 1
        if self._steps % STEPS_BETWEEN_CHECKS == 0 and thread_time() >= self._until:
            message = f"{self._doing} the document takes more than {self._seconds:g} s of processor time. {SMALLER}"
            raise GraphQLError(message, extensions={"code": ErrorCode.TIMEOUT})


class DeadlineParser(parser.Parser):
    """GraphQL's parser, which checks the deadline before each token."""

    deadline: Deadline

    def advance_lexer(self) -> None:
        self.deadline.check()
        super().advance_lexer()


def parse(text: str, max_tokens: int, seconds: float) -> DocumentNode:
    """Parse a document. Raises GraphQLError."""
    deadline_parser = DeadlineParser(text, max_tokens=max_tokens)
    deadline_parser.deadline = Deadline("Parsing", seconds)
    # Raised after the block, because the error would otherwise keep the frames of the whole recursion alive.
    with suppress(RecursionError), without_garbage_collection():
        return deadline_parser.parse_document()
    raise parser.nested_too_deeply_error(deadline_parser)


def validation_errors(
    schema: GraphQLSchema, document: DocumentNode, rules: Rules, hide_suggestions: bool, seconds: float
) -> list[GraphQLError]:
    """The validation errors of a document. Raises GraphQLError when the time is up."""
    deadline = Deadline("Validating", seconds)

    def all_rules(context: ValidationContext) -> AllRules:
        visitors = rules.visitors(context)
        for visitor in visitors:
            if isinstance(visitor, OverlappingFieldsCanBeMergedRule):
                visitor.rule_context = DeadlineRuleContext(deadline)
        return AllRules(rules, visitors, deadline.check)

    try:
        with without_garbage_collection():
            found = validate(schema, document, [cast(Any, all_rules)], MAX_ERRORS, hide_suggestions)
    except TooManyComparisons:
        return [too_complex(f"Its fields of the same names need more than {MAX_COMPARISONS} comparisons.")]
    for error in found:
        clear_tracebacks(error)
    return found


class TooManyComparisons(Exception):
    """Validation compares too many pairs of fields. Ordinary documents need at most a few thousand comparisons."""


class DeadlineRuleContext(overlapping.RuleContext):
    """GraphQL's budget of field comparisons, which checks the deadline at each comparison."""

    __slots__ = ("_deadline", "_left")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__()
        self._left = MAX_COMPARISONS

    @property
    def remaining_complexity_budget(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  # a slot there
        return self._left

    @remaining_complexity_budget.setter
    def remaining_complexity_budget(self, left: int) -> None:
        self._deadline.check()
        if left < 0:
            raise TooManyComparisons
        self._left = left

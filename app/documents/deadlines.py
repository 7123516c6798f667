"""Parsing and validating against the clock: work of the event loop, during which nobody else is served.

The limits keep even the worst document far below the deadlines; these hold where the limits were raised, or the machine
has no time to give. A step is a token, a node of a document, or a comparison of two fields.
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

# So many errors a person may read at once. Each of them costs time, some of them much.
MAX_ERRORS = 10
# GraphQL's own bound is 25 times this, which is a second.
MAX_COMPARISONS = 20_000
STEPS_BETWEEN_LOOKS = 16


@contextmanager
def without_collecting() -> Generator[None]:
    """Collects no garbage meanwhile: that takes up to hundreds of milliseconds, and no document has caused it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Clock:
    """When the time is up: processor time, of which a busy machine gives less in a second, but no more is needed."""

    def __init__(self, doing: str, seconds: float) -> None:
        self._doing = doing
        self._seconds = seconds
        self._until = thread_time() + seconds
        self._steps = 0

    def look(self) -> None:
        """After one more step. Raises GraphQLError."""
        self._steps += 1
        if self._steps % STEPS_BETWEEN_LOOKS == 0 and thread_time() >= self._until:
            message = f"{self._doing} the document takes more than {self._seconds:g} s of processor time. {SMALLER}"
            raise GraphQLError(message, extensions={"code": ErrorCode.TIMEOUT})


class TimedParser(parser.Parser):
    """GraphQL's parser, which looks at the clock before each token."""

    clock: Clock

    def advance_lexer(self) -> None:
        self.clock.look()
        super().advance_lexer()


def parsed(text: str, max_tokens: int, seconds: float) -> DocumentNode:
    """The document. Raises GraphQLError."""
    timed = TimedParser(text, max_tokens=max_tokens)
    timed.clock = Clock("Parsing", seconds)
    # The error is raised behind the block, or it would keep the frames of the whole recursion.
    with suppress(RecursionError), without_collecting():
        return timed.parse_document()
    raise parser.nested_too_deeply_error(timed)


def validation_errors(
    schema: GraphQLSchema, document: DocumentNode, rules: Rules, hide_suggestions: bool, seconds: float
) -> list[GraphQLError]:
    """What is not valid in a document. Raises GraphQLError when the time is up."""
    clock = Clock("Validating", seconds)

    def timed(context: ValidationContext) -> AllRules:
        visitors = rules.visitors(context)
        for visitor in visitors:
            if isinstance(visitor, OverlappingFieldsCanBeMergedRule):
                visitor.rule_context = TimedRuleContext(clock)
        return AllRules(rules, visitors, clock.look)

    try:
        with without_collecting():
            found = validate(schema, document, [cast(Any, timed)], MAX_ERRORS, hide_suggestions)
    except TooManyComparisons:
        return [too_complex(f"Its fields of the same names need more than {MAX_COMPARISONS} comparisons.")]
    for error in found:
        _let_go(error)
    return found


def _let_go(error: BaseException) -> None:
    """Of the frames that it has come through: they hold the validator and the request for as long as it is kept."""
    held = [error]
    for one in held:
        one.__traceback__ = None
        reasons = (getattr(one, "original_error", None), one.__cause__, one.__context__)
        held += [reason for reason in reasons if reason is not None and all(reason is not other for other in held)]


class TooManyComparisons(Exception):
    """Documents as people write them need none, or a few thousand."""


class TimedRuleContext(overlapping.RuleContext):
    """What GraphQL spends its comparisons of fields from; each time it does, the clock is looked at."""

    __slots__ = ("_clock", "_left")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__()
        self._left = MAX_COMPARISONS

    @property
    def remaining_complexity_budget(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  # a slot there
        return self._left

    @remaining_complexity_budget.setter
    def remaining_complexity_budget(self, left: int) -> None:
        self._clock.look()
        if left < 0:
            raise TooManyComparisons
        self._left = left

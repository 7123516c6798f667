"""GraphQL's validation rules as one visitor that knows which rules concern which kind of node.

Every tenant's documents are validated anew, so validation has to be cheap. `ParallelVisitor` queries every rule for its
handlers of every kind of node, in every document, which takes longer than the rules themselves do for a small one.
"""

from collections.abc import Callable, Collection, Generator
from typing import Any, NamedTuple

from graphql import BREAK, SKIP, ASTValidationRule, Node, ValidationContext, Visitor
from graphql.language.visitor import EnterLeaveVisitor

Rule = type[ASTValidationRule]


class Handlers(NamedTuple):
    """The names of the methods of a rule, identified by its index, for entering and leaving nodes of a kind."""

    rule: int
    enter: str | None
    leave: str | None


class Rules:
    """A set of validation rules."""

    def __init__(self, rules: Collection[Rule]) -> None:
        self._rules = tuple(rules)
        self._handlers: dict[str, tuple[Handlers, ...]] = {}

    def of(self, kind: str) -> tuple[Handlers, ...]:
        """The rules that concern nodes of a kind, in order."""
        if (found := self._handlers.get(kind)) is None:
            found = self._handlers[kind] = tuple(self._concerned(kind))
        return found

    def visitors(self, context: ValidationContext) -> list[ASTValidationRule]:
        return [rule(context) for rule in self._rules]

    def _concerned(self, kind: str) -> Generator[Handlers]:
        for index, rule in enumerate(self._rules):
            enter, leave = _method(rule, "enter", kind), _method(rule, "leave", kind)
            if enter or leave:
                yield Handlers(index, enter, leave)


def _method(rule: Rule, event: str, kind: str) -> str | None:
    return next((name for name in (f"{event}_{kind}", event) if hasattr(rule, name)), None)


class AllRules(Visitor):
    """Visits each node with the rules that concern it, as `ParallelVisitor` does, after a call of `check`."""

    def __init__(self, rules: Rules, visitors: list[ASTValidationRule], check: Callable[[], None]) -> None:
        super().__init__()
        self._rules = rules
        self._visitors = visitors
        self._check = check
        # For each rule the node whose inside it does not visit, or BREAK where it visits nothing more.
        self._skipped: list[Any] = [None] * len(visitors)

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        if (found := self.enter_leave_map.get(kind)) is None:
            concerned = self._rules.of(kind)
            leave = self._leave(concerned) if concerned else None
            found = self.enter_leave_map[kind] = EnterLeaveVisitor(self._enter(concerned), leave)
        return found

    def _enter(self, concerned: tuple[Handlers, ...]) -> Callable[..., None]:
        skipped, check = self._skipped, self._check
        handlers = [(rule, getattr(self._visitors[rule], enter)) for rule, enter, _ in concerned if enter]

        def enter(node: Node, *args: Any) -> None:
            check()
            for rule, handle in handlers:
                if skipped[rule] is None and (action := handle(node, *args)) is not None:
                    skipped[rule] = node if action is SKIP or action is False else BREAK

        return enter

    def _leave(self, concerned: tuple[Handlers, ...]) -> Callable[..., None]:
        skipped = self._skipped
        handlers = [(rule, getattr(self._visitors[rule], leave) if leave else None) for rule, _, leave in concerned]

        def leave(node: Node, *args: Any) -> None:
            for rule, handle in handlers:
                if skipped[rule] is node:
                    skipped[rule] = None
                elif handle and skipped[rule] is None and handle(node, *args) is BREAK:
                    skipped[rule] = BREAK

        return leave

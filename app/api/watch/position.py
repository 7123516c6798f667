"""Finds the start position of a watch in its document and variables."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from app.documents.selections import operations_named


def positions(document: DocumentNode, name: str | None) -> list[ValueNode]:
    """The values of `after` in the root fields of the operation, including those in fragments."""
    operation = next(iter(operations_named(document, name)), None)
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}
    waiting: list[SelectionSetNode] = [] if operation is None else [operation.selection_set]
    found: list[ValueNode] = []
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                found += [argument.value for argument in selection.arguments or () if argument.name.value == "after"]
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and (fragment := fragments.pop(selection.name.value, None)):
                waiting.append(fragment.selection_set)
    return found


def has_cursor(document: DocumentNode, name: str | None, variables: Mapping[str, Any]) -> bool:
    """Whether the watch resumes from a cursor in its variables, their defaults or the document."""
    operation = next(iter(operations_named(document, name)), None)
    defaults = {
        one.variable.name.value: one.default_value for one in (operation and operation.variable_definitions) or ()
    }

    def is_cursor(value: ValueNode | None) -> bool:
        if isinstance(value, VariableNode):
            known = value.name.value
            return bool(variables[known]) if known in variables else is_cursor(defaults.get(known))
        return isinstance(value, StringValueNode) and bool(value.value)

    return any(map(is_cursor, positions(document, name)))

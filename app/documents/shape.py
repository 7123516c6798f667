"""Properties of a whole document that determine how long its validation takes."""

from collections import Counter
from typing import Any, NamedTuple

from graphql import DocumentNode, FieldNode, ListValueNode, ObjectValueNode, SelectionSetNode


def most_repeated_name(document: DocumentNode) -> int:
    """The number of times that the most frequent response name occurs in a document.

    Validation compares all pairs of fields with the same name, even in unused fragments.
    """
    names: Counter[str] = Counter()
    waiting: list[SelectionSetNode | None] = [getattr(part, "selection_set", None) for part in document.definitions]
    while waiting:
        selection_set = waiting.pop()
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                names[(selection.alias or selection.name).value] += 1
            waiting.append(getattr(selection, "selection_set", None))
    return max(names.values(), default=0)


class Longest(NamedTuple):
    """The largest number of arguments of a field or input fields of an object, and of values of a list.

    Validation looks up each argument by name, and its errors quote the whole object. Each use of a list coerces its
    values.
    """

    arguments: int
    values: int


def longest(document: DocumentNode) -> Longest:
    arguments = values = 0
    waiting: list[Any] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        inside: list[Any] = [*(getattr(node, "arguments", None) or ())]
        if isinstance(node, ObjectValueNode):
            inside += node.fields or ()
        elif isinstance(node, ListValueNode):
            values = max(values, len(node.values or ()))
            waiting += node.values or ()
        arguments = max(arguments, len(inside))
        waiting += [one.value for one in inside if isinstance(one.value, (ObjectValueNode, ListValueNode))]
        waiting += [*(getattr(node, "directives", None) or ())]
        waiting += [one.default_value for one in getattr(node, "variable_definitions", None) or () if one.default_value]
        if (selection_set := getattr(node, "selection_set", None)) is not None:
            waiting += selection_set.selections
    return Longest(arguments, values)

"""What validation takes hangs on the shape of a document as a whole, whichever of its operations is run."""

from collections import Counter
from typing import Any

from graphql import DocumentNode, FieldNode, ListValueNode, ObjectValueNode, SelectionSetNode


def repeats(document: DocumentNode) -> int:
    """How often the most frequent response name stands in a document, in whatever part of it.

    Validation compares the fields of one name with each other, two by two, also in fragments that nobody spreads.
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


def widest(document: DocumentNode) -> int:
    """How many arguments the field with most of them has, or input fields the object.

    Validation looks up each by its name, and its errors quote the whole object.
    """
    most = 0
    waiting: list[Any] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        inside: list[Any] = [*(getattr(node, "arguments", None) or ())]
        if isinstance(node, ObjectValueNode):
            inside += node.fields or ()
        elif isinstance(node, ListValueNode):
            waiting += node.values or ()
        most = max(most, len(inside))
        waiting += [one.value for one in inside if isinstance(one.value, (ObjectValueNode, ListValueNode))]
        waiting += [*(getattr(node, "directives", None) or ())]
        waiting += [one.default_value for one in getattr(node, "variable_definitions", None) or () if one.default_value]
        if (selection_set := getattr(node, "selection_set", None)) is not None:
            waiting += selection_set.selections
    return most

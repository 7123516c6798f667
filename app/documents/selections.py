"""Collects the fields of selection sets, with fragments expanded, in the order of the response."""

from collections.abc import Mapping
from typing import Any, cast

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

from app.documents.unplanned import Unplanned

Fields = dict[str, list[FieldNode]]


class Selections:
    """The selections of one document, for one choice of the variables in `@skip` and `@include`."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, values: Mapping[str, Any]) -> None:
        self._schema = schema
        self._values = values
        self._fragments = {
            part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)
        }

    def collect(self, type_: GraphQLObjectType, *sets: SelectionSetNode | None) -> Fields:
        """The fields of a type in some selection sets, grouped by response name."""
        fields: Fields = {}
        spread: set[str] = set()
        for selection_set in sets:
            if selection_set is not None:
                self._collect(type_, selection_set, fields, spread)
        return fields

    def _collect(
        self, type_: GraphQLObjectType, selection_set: SelectionSetNode, fields: Fields, spread: set[str]
    ) -> None:
        for selection in selection_set.selections:
            if not self._is_included(selection.directives or ()):
                continue
            if isinstance(selection, FieldNode):
                fields.setdefault((selection.alias or selection.name).value, []).append(selection)
            elif isinstance(selection, InlineFragmentNode):
                if selection.type_condition is None or self._applies(type_, selection.type_condition.name.value):
                    self._collect(type_, selection.selection_set, fields, spread)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                fragment = self._fragments[selection.name.value]
                if self._applies(type_, fragment.type_condition.name.value):
                    self._collect(type_, fragment.selection_set, fields, spread)

    def _applies(self, type_: GraphQLObjectType, name: str) -> bool:
        condition: Any = self._schema.get_type(name)
        return condition is type_ or (is_abstract_type(condition) and self._schema.is_sub_type(condition, type_))

    def _is_included(self, directives: Any) -> bool:
        return all(self._allows(directive) for directive in directives)

    def _allows(self, directive: DirectiveNode) -> bool:
        if directive.name.value not in ("skip", "include"):
            raise Unplanned("directive")
        arguments: Any = directive.arguments
        value = arguments[0].value
        chosen: Any = self._values.get(value.name.value) if isinstance(value, VariableNode) else value.value
        if not isinstance(chosen, bool):
            raise Unplanned("directive")
        return chosen is (directive.name.value == "include")


def find_operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to run. Raises Unplanned if the name does not identify exactly one."""
    matching = operations_named(document, name)
    if len(matching) != 1:
        raise Unplanned("operation")
    return matching[0]


def operations_named(document: DocumentNode, name: str | None) -> list[OperationDefinitionNode]:
    """The operations of a document with this name; all of them without a name."""
    operations = [part for part in document.definitions if isinstance(part, OperationDefinitionNode)]
    return [part for part in operations if name in (None, part.name and part.name.value)]


def switch_variables(document: DocumentNode) -> tuple[str, ...]:
    """The names of the variables in `@skip` and `@include`."""
    found: set[str] = set()
    waiting: list[Any] = [getattr(part, "selection_set", None) for part in document.definitions]
    while waiting:
        selection_set = waiting.pop()
        for selection in selection_set.selections if selection_set else ():
            for directive in selection.directives or ():
                values = (argument.value for argument in directive.arguments or ())
                found |= {value.name.value for value in values if isinstance(value, VariableNode)}
            waiting.append(getattr(selection, "selection_set", None))
    return tuple(sorted(found))


def root_field_names(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """The names of all root fields, including those in fragments and those that may be skipped."""
    fragments = {part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)}
    names: set[str] = set()
    waiting: list[SelectionSetNode | None] = [operation.selection_set]
    while waiting:
        selection_set = waiting.pop()
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                names.add(selection.name.value)
            elif isinstance(selection, FragmentSpreadNode):
                spread = fragments.pop(selection.name.value, None)
                waiting.append(spread and spread.selection_set)
            else:
                waiting.append(cast(InlineFragmentNode, selection).selection_set)
    return names

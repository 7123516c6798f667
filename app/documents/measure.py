"""Measures operations in time linear in the size of the document.

A fragment is measured once, however often it is spread, and its size is added at each spread. So a kilobyte of nested
fragments that expands to a billion fields is measured as fast as any other document.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from app.documents import weights
from app.documents.introspection import ROOTS, Introspection
from app.store.pages import DEFAULT_PAGE, MAX_PAGE

UNKNOWN = object()
# The input field that lists tenants, each of which gets an offer.
TENANT_IDS = "tenantIds"


class Size(NamedTuple):
    """The size of a part of an operation with its fragments expanded.

    `writes` is the number of objects that a mutation may write, `response_bytes` the maximum size of its part of the
    response.
    """

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    cost: int = 0
    writes: int = 0
    introspections: int = 0
    response_bytes: int = 0

    def plus(self, other: "Size") -> "Size":
        return Size(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.fields + other.fields,
            self.cost + other.cost,
            self.writes + other.writes,
            self.introspections + other.introspections,
            self.response_bytes + other.response_bytes,
        )


class Measure:
    """Measures one operation of a document, with the values of its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        introspection: Callable[[], Introspection],
    ) -> None:
        self._schema = schema
        self._introspection = introspection
        self._operation = operation
        self._variables = variables
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in operation.variable_definitions or ()
        }
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}

    def size(self) -> Size:
        root = self._schema.get_root_type(self._operation.operation)
        return self._selections(self._operation.selection_set, root)

    def root_fields(self) -> int:
        return self._root_fields(self._operation.selection_set, set())

    def _selections(self, selection_set: SelectionSetNode | None, parent: Any) -> Size:
        size = Size()
        for selection in selection_set.selections if selection_set else ():
            size = size.plus(self._selection(selection, parent))
        return size

    def _selection(self, selection: SelectionNode, parent: Any) -> Size:
        if isinstance(selection, FieldNode):
            return self._field(selection, parent)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        if not isinstance(selection, InlineFragmentNode):
            return Size()
        condition = selection.type_condition
        on = self._schema.get_type(condition.name.value) if condition else parent
        return self._selections(selection.selection_set, on)

    def _field(self, field: FieldNode, parent: Any) -> Size:
        if field.name.value in ROOTS and parent is self._schema.query_type:
            return self._introspected(field)
        # Validation refuses fields that don't exist; here they count as scalars.
        definition: Any = getattr(parent, "fields", {}).get(field.name.value)
        below = self._selections(field.selection_set, get_named_type(definition.type) if definition else None)
        times = self._object_count(field, definition)
        name = weights.name_bytes((field.alias or field.name).value)
        value = 0 if field.selection_set else weights.value_bytes(parent, field.name.value, definition)
        return Size(
            below.depth + 1,
            below.aliases + (field.alias is not None),
            below.fields + 1,
            weights.field_cost(name, value) + times * below.cost,
            times if parent is self._schema.mutation_type else 0,
            0,
            name + (value or weights.object_bytes(times, below.response_bytes)),
        )

    def _introspected(self, field: FieldNode) -> Size:
        below = self._selections(field.selection_set, None)
        extent = self._introspection().of(field)
        aliases = below.aliases + (field.alias is not None)
        return Size(below.depth + 1, aliases, below.fields + 1, extent.fields, 0, 1, extent.bytes)

    def _fragment(self, name: str) -> Size:
        if name not in self._measured:
            # Validation refuses recursive fragments; here they only must not recurse forever.
            self._measured[name] = Size()
            definition = self._fragments.get(name)
            if definition is not None:
                on = self._schema.get_type(definition.type_condition.name.value)
                self._measured[name] = self._selections(definition.selection_set, on)
        return self._measured[name]

    def _object_count(self, field: FieldNode, definition: Any) -> int:
        """The maximum number of objects that a field returns: the number of IDs in its arguments, or its page size."""
        arguments = {argument.name.value: self._value(argument.value) for argument in field.arguments or ()}
        known: dict[str, Any] = definition.args if definition else {}
        if "ids" in known:
            return _length(arguments.get("ids"))
        if TENANT_IDS in _fields_of(known.get("input")):
            input = arguments.get("input")
            return _length(cast(dict[str, Any], input).get(TENANT_IDS) if isinstance(input, dict) else input)
        if "first" not in known:
            return 1
        sizes = [_page_size(arguments[name]) for name in ("first", "last") if arguments.get(name) is not None]
        default = known["first"].default_value
        return max(sizes, default=default if isinstance(default, int) else DEFAULT_PAGE)

    def _value(self, node: ValueNode) -> Any:
        """The value of an argument if it is a number, a list or an object, and otherwise UNKNOWN."""
        if isinstance(node, VariableNode):
            return self._variable(node.name.value)
        if isinstance(node, NullValueNode):
            return None
        if isinstance(node, IntValueNode):
            return int(node.value) if len(node.value) < 10 else UNKNOWN
        if isinstance(node, ObjectValueNode):
            return {field.name.value: self._value(field.value) for field in node.fields or ()}
        return list(node.values or ()) if isinstance(node, ListValueNode) else UNKNOWN

    def _variable(self, name: str) -> Any:
        if name in self._variables:
            return self._variables[name]
        default = self._defaults.get(name)
        return None if default is None else self._value(default)

    def _root_fields(self, selection_set: SelectionSetNode, spread: set[str]) -> int:
        return sum(self._root_count(selection, spread) for selection in selection_set.selections)

    def _root_count(self, selection: SelectionNode, spread: set[str]) -> int:
        if isinstance(selection, InlineFragmentNode):
            return self._root_fields(selection.selection_set, spread)
        if not isinstance(selection, FragmentSpreadNode):
            return 1
        definition = self._fragments.get(selection.name.value)
        if definition is None or selection.name.value in spread:
            return 0
        spread.add(selection.name.value)
        return self._root_fields(definition.selection_set, spread)


def _fields_of(argument: GraphQLArgument | None) -> Mapping[str, Any]:
    """The fields of an argument that is an input object; none for any other."""
    named = cast(Any, get_named_type(argument.type) if argument else None)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return getattr(named, "fields", {})


def _length(ids: Any) -> int:
    """The number of IDs in a list, at most that of a page. A single value counts as a list of one."""
    size = len(cast(list[Any], ids)) if isinstance(ids, (list, tuple)) else 1
    return max(1, min(size, MAX_PAGE))


def _page_size(size: Any) -> int:
    """The size of a page. Any value that coercion may turn into a number counts as the maximum."""
    known = isinstance(size, int) and not isinstance(size, bool)
    return max(1, min(size, MAX_PAGE)) if known else MAX_PAGE

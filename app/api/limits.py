"""How large an operation may be: measured once for each part of the document, so the measuring itself is linear.

A fragment is measured once, however often it is spread; what it measures is added (or multiplied, for the cost) at
every spread. So a document of a kilobyte that unfolds to a billion fields is judged as fast as any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    is_object_type,
)

from app.api.paging import DEFAULT_PAGE, MAX_PAGE
from app.errors import ErrorCode
from app.settings import Settings


class Size(NamedTuple):
    """What a part of an operation amounts to, fragments unfolded."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    cost: int = 0

    def beside(self, other: "Size") -> "Size":
        return Size(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.fields + other.fields,
            self.cost + other.cost,
        )


@dataclass(frozen=True)
class Limits:
    """The largest operation that is carried out."""

    depth: int
    aliases: int
    root_fields: int
    fields: int
    cost: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(
            settings.max_depth,
            settings.max_aliases,
            settings.max_root_fields,
            settings.max_fields,
            settings.max_cost,
        )

    def refusal(self, size: Size, root_fields: int) -> GraphQLError | None:
        """Which limit an operation goes over, and by how much."""
        found = {
            "depth": (size.depth, self.depth),
            "number of aliases": (size.aliases, self.aliases),
            "number of root fields": (root_fields, self.root_fields),
            "number of fields": (size.fields, self.fields),
            "cost": (size.cost, self.cost),
        }
        for what, (measured, limit) in found.items():
            if measured > limit:
                return too_complex(f"The {what} of the operation is {measured}, and the limit is {limit}.")
        return None


def too_complex(message: str) -> GraphQLError:
    advice = "Ask for less at a time: fewer fields, smaller pages, or several requests."
    return GraphQLError(f"{message} {advice}", extensions={"code": ErrorCode.QUERY_TOO_COMPLEX})


class Measure:
    """Measures the operations of one document, with the values of its variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._connections = set(_connection_fields(schema))
        self._variables = variables
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Size] = {}

    def operation(self, operation: OperationDefinitionNode) -> tuple[Size, int]:
        """The size of an operation, and how many fields it has at its root."""
        return self._selections(operation.selection_set), self._root_fields(operation.selection_set, set())

    def _selections(self, selection_set: SelectionSetNode | None) -> Size:
        size = Size()
        for selection in selection_set.selections if selection_set else ():
            size = size.beside(self._selection(selection))
        return size

    def _selection(self, selection: SelectionNode) -> Size:
        if isinstance(selection, FieldNode):
            return self._field(selection)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        return self._selections(selection.selection_set) if isinstance(selection, InlineFragmentNode) else Size()

    def _field(self, field: FieldNode) -> Size:
        below = self._selections(field.selection_set)
        return Size(
            below.depth + 1,
            below.aliases + (field.alias is not None),
            below.fields + 1,
            1 + self._times(field) * below.cost,
        )

    def _fragment(self, name: str) -> Size:
        if name not in self._measured:
            # A fragment that spreads itself is refused by validation; here it only must not go on for ever.
            self._measured[name] = Size()
            definition = self._fragments.get(name)
            self._measured[name] = self._selections(definition.selection_set if definition else None)
        return self._measured[name]

    def _times(self, field: FieldNode) -> int:
        """How many objects a field may give: the length of its list of IDs, or the size of its page."""
        given = {argument.name.value: self._value(argument.value) for argument in field.arguments or ()}
        if "ids" in given:
            return _at_most_a_page(_length(given["ids"]))
        if field.name.value not in self._connections:
            return 1
        sizes = [size for size in (given.get("first"), given.get("last")) if isinstance(size, int)]
        return _at_most_a_page(max(sizes, default=DEFAULT_PAGE))

    def _value(self, node: ValueNode) -> Any:
        """What is known of an argument: numbers and lists, since nothing else sizes a page."""
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        if isinstance(node, IntValueNode):
            return int(node.value) if len(node.value) < 10 else MAX_PAGE
        return list(node.values or ()) if isinstance(node, ListValueNode) else None

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


def _length(ids: Any) -> int:
    return len(ids) if isinstance(ids, list) else MAX_PAGE  # pyright: ignore[reportUnknownArgumentType]


def _at_most_a_page(size: int) -> int:
    return max(1, min(size, MAX_PAGE))


def _connection_fields(schema: GraphQLSchema) -> Iterator[str]:
    for type_ in schema.type_map.values():
        if is_object_type(type_):
            for name, field in type_.fields.items():
                if str(field.type).endswith("Connection!"):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
                    yield name

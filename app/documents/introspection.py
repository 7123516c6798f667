"""Measures introspection queries against the actual schema, which determines the length of their lists."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    get_named_type,
    get_nullable_type,  # pyright: ignore[reportUnknownVariableType]
    introspection_types,
    is_list_type,  # pyright: ignore[reportUnknownVariableType]
)

ROOTS = ("__schema", "__type")
# The introspection query of common tools returns 4,400 fields in 40 ms, and measuring it takes 2,000 steps.
MOST_FIELDS, MOST_STEPS = 9_000, 10_000
# A number, a boolean or null, and the punctuation around a value in JSON.
_SHORT_BYTES, _PUNCTUATION_BYTES = 5, 6


class TooLarge(Exception):
    """The introspection exceeds the limits."""


class Extent(NamedTuple):
    """The number of fields in the response and its approximate bytes."""

    fields: int = 0
    bytes: int = 0

    def plus(self, other: "Extent") -> "Extent":
        return Extent(self.fields + other.fields, self.bytes + other.bytes)


class Introspection:
    """The introspections of one document, each measured once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)
        }
        self._found: dict[int, Extent | None] = {}

    def of(self, field: FieldNode) -> Extent:
        """The extent of one root field of the document. Raises TooLarge."""
        place = field.loc.start if field.loc else 0
        if place not in self._found:
            self._found[place] = None
            self._found[place] = self._count(field)
        if (found := self._found[place]) is None or found.fields > MOST_FIELDS:
            raise TooLarge
        return found

    def _count(self, field: FieldNode) -> Extent:
        count = ExtentCounter(self._schema, self._fragments)
        if field.name.value == "__schema":
            return count.field(field, introspection_types["__Schema"], [self._schema])
        sources = self._types(field)
        return max((count.field(field, introspection_types["__Type"], [one]) for one in sources), default=Extent(1))

    def _types(self, field: FieldNode) -> Iterable[Any]:
        """The type that a literal names, or every type if the name is a variable."""
        names = [argument.value for argument in field.arguments or () if argument.name.value == "name"]
        if names and isinstance(names[0], StringValueNode):
            return filter(None, [self._schema.get_type(names[0].value)])
        return self._schema.type_map.values()


class ExtentCounter:
    """Walks the selections over the objects of the schema, each pair once."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._info = SimpleNamespace(schema=schema)  # all that the resolvers of introspection use
        self._fragments = fragments
        self._known: dict[tuple[int, int], Extent] = {}
        self._steps = 0

    def field(self, node: FieldNode, type_: Any, sources: Iterable[Any]) -> Extent:
        extent = Extent(1, len((node.alias or node.name).value) + _PUNCTUATION_BYTES)
        if node.selection_set is not None:
            for source in sources:
                extent = extent.plus(self._selections(node.selection_set, type_, source))
        return extent

    def _selections(self, selection_set: SelectionSetNode, type_: Any, source: Any) -> Extent:
        # Fields, arguments and enum values are new pairs each time, whose second item is a permanent object.
        key = id(selection_set), id(cast(tuple[Any, Any], source)[1] if isinstance(source, tuple) else source)
        if key not in self._known:
            # Validation refuses recursive fragments; here they only must not recurse forever.
            self._known[key] = Extent()
            extent = Extent()
            for selection in selection_set.selections:
                extent = extent.plus(self._selection(selection, type_, source))
            self._known[key] = extent
        return self._known[key]

    def _selection(self, selection: SelectionNode, type_: Any, source: Any) -> Extent:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooLarge
        if isinstance(selection, FieldNode):
            return self._field_of(selection, type_, source)
        fragment: Any = selection
        if isinstance(selection, FragmentSpreadNode):
            fragment = self._fragments.get(selection.name.value)
        assert fragment is None or isinstance(fragment, (InlineFragmentNode, FragmentDefinitionNode))
        return Extent() if fragment is None else self._selections(fragment.selection_set, type_, source)

    def _field_of(self, node: FieldNode, type_: Any, source: Any) -> Extent:
        definition = getattr(type_, "fields", {}).get(node.name.value)
        if definition is None:
            return Extent(1, _SHORT_BYTES + _PUNCTUATION_BYTES)
        deprecated = {"includeDeprecated": True} if "includeDeprecated" in definition.args else {}
        value = definition.resolve(source, self._info, **deprecated)
        if node.selection_set is None:
            # JSON escapes some characters, and those beyond ASCII take several bytes.
            length = 2 * len(value.encode()) if isinstance(value, str) else _SHORT_BYTES
            return self.field(node, type_, ()).plus(Extent(0, length))
        sources = () if value is None else value if is_list_type(get_nullable_type(definition.type)) else (value,)
        return self.field(node, cast(Any, get_named_type)(definition.type), sources)

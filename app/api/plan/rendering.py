"""Renders API objects that are in memory as plain data, with functions that are compiled once for each selection.

A field is an attribute or listed in `LOADED_FIELDS`. An operation with any other field (a connection, or a field that
needs a loader) is not rendered. Rendering a value of the wrong type raises, and graphql-core then reports the error.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_abstract_type,
    is_leaf_type,
)

from app import caches
from app.api.plan.scalars import Render, leaf_renderer
from app.api.types.nodes import Image, Member
from app.documents.selections import Selections, switch_variables
from app.documents.unplanned import Unplanned

MAX_ROOTS = 8


def _loaded_image(member: Member) -> Image:
    if member.seen_image is None:
        raise LookupError("the image has to be loaded")
    return Image.of(member.seen_image)


# Readers of fields whose resolver may need nothing but the object.
LOADED_FIELDS: dict[str, Callable[[Any], Any]] = {"Member.image": _loaded_image}


class Root(NamedTuple):
    """The only root field of an operation, and the function that renders its value."""

    key: str
    node: FieldNode
    field: GraphQLField
    render: Render


class Roots:
    """The root field of one operation of a valid document, for each combination of `@skip` and `@include`."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._document = document
        self._operation = operation
        self._switches = switch_variables(document)
        self._roots: dict[tuple[Any, ...], Root | str] = {}

    def root(self, values: Mapping[str, Any]) -> Root:
        """The root field. Raises Unplanned if there are several, or if it can't be rendered."""
        switches = tuple(values.get(switch) for switch in self._switches)
        found = self._roots.get(switches)
        if found is None:
            found = self._root(values)
            caches.put(self._roots, switches, found, MAX_ROOTS)
        if isinstance(found, str):
            raise Unplanned(found)
        return found

    def _root(self, values: Mapping[str, Any]) -> Root | str:
        type_ = cast(GraphQLObjectType, self._schema.get_root_type(self._operation.operation))
        selections = Selections(self._schema, self._document, values)
        try:
            fields = selections.collect(type_, self._operation.selection_set)
            if len(fields) != 1:
                return "root fields"
            [(key, nodes)] = fields.items()
            if (field := type_.fields.get(nodes[0].name.value)) is None or any(node.directives for node in nodes):
                return "root field"
            return Root(key, nodes[0], field, Renderer(self._schema, selections).value(field.type, nodes))
        except Unplanned as reason:
            return str(reason)


class Renderer:
    """Compiles the render functions for the selections of one document."""

    def __init__(self, schema: GraphQLSchema, selections: Selections) -> None:
        self._schema = schema
        self._selections = selections

    def value(self, type_: Any, nodes: list[FieldNode]) -> Render:
        """A function that renders a value of the type. It raises if a non-null value is None."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(cast(Any, type_).of_type, nodes)
        present = self._present(type_, nodes)
        return lambda value: None if value is None else present(value)

    def _present(self, type_: Any, nodes: list[FieldNode]) -> Render:
        if is_leaf_type(type_):
            return leaf_renderer(type_)
        if isinstance(type_, GraphQLList):
            return _list_of(self.value(cast(Any, type_).of_type, nodes))
        possible = self._schema.get_possible_types(type_) if is_abstract_type(type_) else (type_,)
        by_class = {_class_of(one): self._object(one, nodes) for one in possible}
        return lambda value: by_class[type(value)](value)

    def _object(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Render:
        fields = self._selections.collect(type_, *(node.selection_set for node in nodes))
        parts = tuple((key, self._field(type_, below)) for key, below in fields.items())
        return lambda value: {key: part(value) for key, part in parts}

    def _field(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Render:
        name, type_name = nodes[0].name.value, type_.name
        if name == "__typename":
            return lambda _: type_name
        if (field := type_.fields.get(name)) is None:
            raise Unplanned(f"{type_name}.{name}")
        read, render = _reader_of(f"{type_name}.{name}", field), self.value(field.type, nodes)
        return lambda value: render(read(value))


def definition_of(thing: Any) -> Any:
    """Strawberry's definition of a type or field of the graphql-core schema."""
    return thing.extensions["strawberry-definition"]


def _class_of(type_: GraphQLObjectType) -> type:
    return definition_of(type_).origin


def _reader_of(name: str, field: GraphQLField) -> Callable[[Any], Any]:
    if (known := LOADED_FIELDS.get(name)) is not None:
        return known
    definition = definition_of(field)
    if not definition.is_basic_field:
        raise Unplanned(name)
    return attrgetter(definition.python_name)


def _list_of(render: Render) -> Render:
    def render_list(values: Any) -> list[Any]:
        if type(values) not in (list, tuple):
            raise TypeError("not a list")
        return [render(value) for value in values]

    return render_list

"""Translates a query into a tree of store objects and the bindings of its parameters."""

import re
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_object_type,
    print_ast,
)

from app.api.plan.arguments import Arguments, PlaceBinding, bind_id, bind_ids, window_binder
from app.documents.selections import Fields, Selections
from app.documents.unplanned import Unplanned
from app.store.plan.lists import LISTS
from app.store.plan.objects import COLUMNS, FINDERS, RELATIONS
from app.store.plan.pages import FACTS
from app.store.plan.tree import ById, Constant, Leaf, Nested, PagePart, Part, Parts, Repeat

KINDS = {"Query": "root", "Image": "image", "Member": "member", "Tenant": "tenant"}
TYPES = {kind: name for name, kind in KINDS.items()}
BY_ID = {
    "image": (bind_id, ("image",)),
    "node": (bind_id, ("tenant", *FINDERS)),
    "nodes": (bind_ids, ("tenant", *FINDERS)),
}


class Builder:
    """Builds the tree of one operation, and collects in `bindings` how its parameters are computed."""

    def __init__(self, schema: GraphQLSchema, selections: Selections) -> None:
        self._schema = schema
        self._selections = selections
        self.bindings: list[PlaceBinding] = []

    def root(self, operation: OperationDefinitionNode) -> Parts:
        """The fields of the operation. Root fields with equal arguments and selections are read once."""
        query = self._type("Query")
        fields = self._selections.collect(query, operation.selection_set)
        first: dict[tuple[str, ...], str] = {}
        known = {key: first.setdefault(_signature(nodes), key) for key, nodes in fields.items()}
        return tuple(
            self._part(query, key, nodes) if known[key] == key else Repeat(key, known[key])
            for key, nodes in fields.items()
        )

    def _parts(self, type_: GraphQLObjectType, fields: Fields) -> Parts:
        return tuple(self._part(type_, key, nodes) for key, nodes in fields.items())

    def _part(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Part:
        name, kind = nodes[0].name.value, KINDS[type_.name]
        word = snake(name)
        if name == "__typename":
            return Constant(key, type_.name)
        if word in COLUMNS[kind] and name in type_.fields:
            return Leaf(key, word)
        field = type_.fields.get(name)
        if field is None:
            raise Unplanned(f"{type_.name}.{name}")
        if kind == "root" and word in BY_ID:
            return self._by_id(key, word, field, nodes)
        if (kind, word) in LISTS:
            return self._page(key, kind, word, field, nodes)
        if (kind, word) not in RELATIONS:
            raise Unplanned(f"{type_.name}.{name}")
        return Nested(key, word, self._below(_object(field.type), nodes))

    def _below(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Parts:
        return self._parts(type_, self._fields_below(type_, nodes))

    def _fields_below(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Fields:
        return self._selections.collect(type_, *(node.selection_set for node in nodes))

    def _by_id(self, key: str, word: str, field: Any, nodes: list[FieldNode]) -> Part:
        bind, kinds = BY_ID[word]
        selector = self._selector(Arguments(field, nodes[0]), bind)
        parts_by_kind = tuple((kind, self._below(self._type(TYPES[kind]), nodes)) for kind in kinds)
        return ById(key, selector, word == "nodes", parts_by_kind)

    def _page(self, key: str, kind: str, word: str, field: Any, nodes: list[FieldNode]) -> Part:
        selector = self._selector(Arguments(field, nodes[0]), window_binder(kind, word))
        type_ = _object(field.type)
        return PagePart(key, word, selector, self._of_page(type_, self._fields_below(type_, nodes)))

    def _of_page(self, type_: GraphQLObjectType, fields: Fields) -> Parts:
        return tuple(self._part_of_page(type_, key, nodes) for key, nodes in fields.items())

    def _part_of_page(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Part:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_.name)
        if snake(name) in FACTS or name == "cursor":
            return Leaf(key, snake(name))
        inner = _object(type_.fields[name].type)
        if name in ("edges", "pageInfo"):
            return Nested(key, snake(name), self._of_page(inner, self._fields_below(inner, nodes)))
        if name not in ("nodes", "node"):
            raise Unplanned(f"{type_.name}.{name}")
        return Nested(key, name, self._below(inner, nodes))

    def _selector(self, arguments: Arguments, bind: Any) -> int:
        self.bindings.append(PlaceBinding(arguments, bind))
        return len(self.bindings) - 1

    def _type(self, name: str) -> GraphQLObjectType:
        return cast(GraphQLObjectType, self._schema.get_type(name))


def _signature(nodes: list[FieldNode]) -> tuple[str, ...]:
    """The name, arguments and selections of a field, without its response key."""
    return tuple(
        f"{node.name.value}({' '.join(sorted(map(print_ast, node.arguments or ())))})"
        f"{print_ast(node.selection_set) if node.selection_set else ''}"
        for node in nodes
    )


def _object(type_: Any) -> GraphQLObjectType:
    named = cast(Any, get_named_type)(type_)
    if not is_object_type(named):
        raise Unplanned("abstract type")
    return named


def snake(name: str) -> str:
    """The snake-case name of a field of the schema."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

"""An operation as a tree in the store's words: what it asks for, and how the places in it are filled."""

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

from app.api.plan.arguments import Arguments, PlaceOf, id_of, ids_of, window_of
from app.documents.selections import Fields, Selections
from app.documents.unplanned import Unplanned
from app.store.plan.lists import LISTS
from app.store.plan.objects import COLUMNS, FINDERS, ONES
from app.store.plan.pages import FACTS
from app.store.plan.tree import Again, ById, Fixed, Leaf, One, Page, Part, Parts

KINDS = {"Query": "root", "Image": "image", "Member": "member", "Tenant": "tenant"}
TYPES = {kind: name for name, kind in KINDS.items()}
BY_ID = {"image": (id_of, ("image",)), "node": (id_of, ("tenant", *FINDERS)), "nodes": (ids_of, ("tenant", *FINDERS))}


class Builder:
    """Builds the tree of one operation; afterwards `places` tells how its places are filled."""

    def __init__(self, schema: GraphQLSchema, selections: Selections) -> None:
        self._schema = schema
        self._selections = selections
        self.places: list[PlaceOf] = []

    def root(self, operation: OperationDefinitionNode) -> Parts:
        """The fields of the operation; those that ask for the same in the same words are asked for once."""
        query = self._type("Query")
        fields = self._selections.collect(query, operation.selection_set)
        first: dict[tuple[str, ...], str] = {}
        known = {key: first.setdefault(_words(nodes), key) for key, nodes in fields.items()}
        return tuple(
            self._part(query, key, nodes) if known[key] == key else Again(key, known[key])
            for key, nodes in fields.items()
        )

    def _parts(self, type_: GraphQLObjectType, fields: Fields) -> Parts:
        return tuple(self._part(type_, key, nodes) for key, nodes in fields.items())

    def _part(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Part:
        name, kind = nodes[0].name.value, KINDS[type_.name]
        word = snake(name)
        if name == "__typename":
            return Fixed(key, type_.name)
        if word in COLUMNS[kind] and name in type_.fields:
            return Leaf(key, word)
        field = type_.fields.get(name)
        if field is None:
            raise Unplanned(f"{type_.name}.{name}")
        if kind == "root" and word in BY_ID:
            return self._by_id(key, word, field, nodes)
        if (kind, word) in LISTS:
            return self._page(key, kind, word, field, nodes)
        if (kind, word) not in ONES:
            raise Unplanned(f"{type_.name}.{name}")
        return One(key, word, self._below(_object(field.type), nodes))

    def _below(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Parts:
        return self._parts(type_, self._fields_below(type_, nodes))

    def _fields_below(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Fields:
        return self._selections.collect(type_, *(node.selection_set for node in nodes))

    def _by_id(self, key: str, word: str, field: Any, nodes: list[FieldNode]) -> Part:
        fill, kinds = BY_ID[word]
        place = self._place(Arguments(field, nodes[0]), fill)
        of_kind = tuple((kind, self._below(self._type(TYPES[kind]), nodes)) for kind in kinds)
        return ById(key, place, word == "nodes", of_kind)

    def _page(self, key: str, kind: str, word: str, field: Any, nodes: list[FieldNode]) -> Part:
        place = self._place(Arguments(field, nodes[0]), window_of(kind, word))
        type_ = _object(field.type)
        return Page(key, word, place, self._of_page(type_, self._fields_below(type_, nodes)))

    def _of_page(self, type_: GraphQLObjectType, fields: Fields) -> Parts:
        return tuple(self._part_of_page(type_, key, nodes) for key, nodes in fields.items())

    def _part_of_page(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Part:
        name = nodes[0].name.value
        if name == "__typename":
            return Fixed(key, type_.name)
        if snake(name) in FACTS or name == "cursor":
            return Leaf(key, snake(name))
        inner = _object(type_.fields[name].type)
        if name in ("edges", "pageInfo"):
            return One(key, snake(name), self._of_page(inner, self._fields_below(inner, nodes)))
        if name not in ("nodes", "node"):
            raise Unplanned(f"{type_.name}.{name}")
        return One(key, name, self._below(inner, nodes))

    def _place(self, arguments: Arguments, fill: Any) -> int:
        self.places.append(PlaceOf(arguments, fill))
        return len(self.places) - 1

    def _type(self, name: str) -> GraphQLObjectType:
        return cast(GraphQLObjectType, self._schema.get_type(name))


def _words(nodes: list[FieldNode]) -> tuple[str, ...]:
    """What a field asks for, whatever its key in the answer."""
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
    """A name of the schema as the store spells it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

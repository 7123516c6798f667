"""The documents of `tests/node/operations`, which together select everything in the schema."""

from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    is_introspection_type,
    parse,
    print_ast,
    separate_operations,
    visit,
)

from app.api.schema import build_schema
from app.settings import Settings
from tests.harness.node import FOLDER

SCHEMA = build_schema()._schema
ROOTS = [root for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type) if root]
DOCUMENT = parse("\n".join(file.read_text() for file in sorted((FOLDER / "operations").glob("*.graphql"))))
OPERATIONS = separate_operations(DOCUMENT)


class SelectedFields(Visitor):
    """Collects the coordinates of the fields that a document selects; a field of an interface, on every type of it."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.coordinates: set[str] = set()

    def enter_field(self, node: Any, *_: Any) -> None:
        parent = self._types.get_parent_type()
        assert parent is not None
        heirs = SCHEMA.get_possible_types(parent) if isinstance(parent, GraphQLInterfaceType) else ()
        self.coordinates |= {f"{type_.name}.{node.name.value}" for type_ in (parent, *heirs)}


def selected_fields(document: DocumentNode) -> set[str]:
    types = TypeInfo(SCHEMA)
    collected = SelectedFields(types)
    visit(document, TypeInfoVisitor(types, collected))
    return collected.coordinates


def test_every_root_field_has_an_operation() -> None:
    expected = {f"{root.name}.{field}" for root in ROOTS for field in root.fields}

    assert expected - selected_fields(DOCUMENT) == set()


def test_every_field_of_every_type_is_selected() -> None:
    outputs = [type_ for type_ in SCHEMA.type_map.values() if isinstance(type_, GraphQLObjectType)]
    expected = {
        f"{type_.name}.{field}" for type_ in outputs if not is_introspection_type(type_) for field in type_.fields
    }

    assert expected - selected_fields(DOCUMENT) == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gateway_executes_the_operation_with_default_settings(name: str) -> None:
    documents = build_schema(Settings()).documents

    assert documents.errors(print_ast(OPERATIONS[name]), name, {}) == []

"""Rules of the code base: import directions, the schema file, and descriptions of everything in the schema."""

import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    is_introspection_type,
    is_specified_scalar_type,
)

from app.api.schema import build_schema
from app.errors import ErrorCode, UserErrorCode

ROOT = Path(__file__).parent.parent.parent
TOP_LEVEL = {
    "pyproject.toml", "README.md", "app", "schema.graphql", "tests", "docker", "LICENSE", "CHANGELOG.md"
}  # fmt: skip


def test_rooms_import_only_what_their_contracts_allow() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"

    result = subprocess.run([sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(_imports()).prepare()  # raises CycleError


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms = defaultdict[str, set[str]](set)
    for module, imported in _imports().items():
        rooms[_room(module)] |= {_room(one) for one in imported}

    # Modules outside the rooms are above all of them or below all of them; the contracts check that.
    between = {room: others - {room, "app"} for room, others in rooms.items() if room != "app"}
    TopologicalSorter(between).prepare()


def _imports() -> dict[str, set[str]]:
    """Each module with the modules it imports, including those imported only for type checking."""
    graph = grimp.build_graph("app", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def _room(module: str) -> str:
    is_package = (ROOT / module.replace(".", "/")).is_dir()
    return module if is_package else module.rpartition(".")[0]


def test_the_schema_file_matches_the_code() -> None:
    assert (ROOT / "schema.graphql").read_text() == build_schema().as_str() + "\n"


def test_every_type_field_argument_and_value_is_described() -> None:
    assert [name for name, thing in _described_things() if not thing.description] == []


def test_no_root_field_takes_or_returns_a_foreign_tenant() -> None:
    core = build_schema()._schema
    roots = [core.query_type, core.mutation_type, core.subscription_type]

    for root in filter(None, roots):
        for name, field in root.fields.items():
            assert name not in ("tenant", "tenants")
            assert not {"tenant", "tenants"} & set(field.args)
            assert name == "viewer" or "Tenant" not in str(field.type)


def test_the_schema_documents_exactly_the_codes_of_the_code() -> None:
    values = build_schema()._schema.type_map["UserErrorCode"].values  # type: ignore[attr-defined]

    assert set(values) == set(UserErrorCode)
    assert {UserErrorCode.FORBIDDEN, UserErrorCode.BAD_USER_INPUT} <= set(map(str, ErrorCode))


def test_the_top_level_contains_only_what_belongs_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git checkout")

    tops = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} == TOP_LEVEL


def _described_things() -> list[tuple[str, Any]]:
    things: list[tuple[str, Any]] = []
    for name, type_ in build_schema()._schema.type_map.items():
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_):
            things.append((name, type_))
    for name, type_ in build_schema()._schema.type_map.items():
        if is_introspection_type(type_) or isinstance(type_, GraphQLScalarType):
            continue
        if isinstance(type_, GraphQLEnumType):
            things += [(f"{name}.{value}", meaning) for value, meaning in type_.values.items()]
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
            things += [(f"{name}.{field}", definition) for field, definition in type_.fields.items()]
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            for field, definition in type_.fields.items():
                things += [(f"{name}.{field}({arg})", argument) for arg, argument in definition.args.items()]
    return things

"""Generates valid queries from the schema, with IDs and cursors of existing rows."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_composite_type,
)
from hypothesis import strategies as st

from app.api.schema import build_schema
from tests.harness.query_pool import Query

CORE = build_schema()._schema
ABSTRACT: tuple[Any, ...] = tuple(CORE.type_map[name] for name in ("Node", "WatchItem"))
POSSIBLE_TYPES = {of.name: [one.name for one in CORE.get_possible_types(of)] for of in ABSTRACT}
DEPTH = 4
# Cursors are random by design, so only their presence is compared.
SEALED = "watchCursor"
# Fields whose values have to be read from the store even if their object is loaded.
READ_FROM_STORE = {
    "Image.members",
    "Image.viewerMembership",
    "Tenant.images",
    "MemberState.member",
    "MemberStatusChanged.member",
    "ImageState.image",
    "ImageChanged.image",
}


@dataclass
class _Draft:
    """The variables and fragments of a query while it is generated."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    declared: list[str] = field(default_factory=list[str])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    fragments: list[str] = field(default_factory=list[str])
    excluded: set[str] = field(default_factory=set[str])
    random_field: str = SEALED
    number: int = 0

    def fresh(self) -> int:
        self.number += 1
        return self.number


@st.composite
def queries(draw: Any) -> Query:
    """Queries of everything but the log, whose cursors are random by design."""
    draft = _Draft(draw, excluded={"Query.offerEvents"})
    return _assemble(draft, "query", _selection(draft, "Query", DEPTH))


@st.composite
def operations_of(draw: Any, kind: str, name: str, inner: str | None = None) -> Query:
    """Operations on one root field that read nothing else from the store, with this selection or a generated one."""
    draft = _Draft(draw, excluded=READ_FROM_STORE, random_field="endCursor")
    root: Any = CORE.type_map[kind.capitalize()]
    field = root.fields[name]
    inner = inner or _selection(draft, get_named_type(field.type).name, DEPTH)
    return _assemble(draft, kind, f"{{ k{draft.fresh()}: {name}{_arguments(draft, field)} {inner} }}")


def _assemble(draft: _Draft, kind: str, body: str) -> Query:
    declared = f"({', '.join(draft.declared)})" if draft.declared else ""
    return Query("\n".join([f"{kind} Q{declared} {body}", *draft.fragments]), draft.variables)


def _selection(draft: _Draft, type_name: str, depth: int) -> str:
    number = draft.draw(st.integers(1, 4 if depth < DEPTH else 2))
    return "{ " + " ".join(_draw_selection(draft, type_name, depth) for _ in range(number)) + " }"


def _draw_selection(draft: _Draft, type_name: str, depth: int) -> str:
    kind = draft.draw(st.sampled_from(["field"] * 7 + ["inline", "named"]))
    if kind == "field" or type_name == "Query":
        return _field(draft, type_name, depth)
    inner = draft.draw(st.sampled_from(POSSIBLE_TYPES.get(type_name, [type_name])))
    if kind == "inline":
        return f"... on {inner}{_directive(draft)} {_selection(draft, inner, depth - 1)}"
    name = f"F{draft.fresh()}"
    draft.fragments.append(f"fragment {name} on {inner} {_selection(draft, inner, depth - 1)}")
    return f"...{name}{_directive(draft)}"


def _field(draft: _Draft, type_name: str, depth: int) -> str:
    type_: Any = CORE.type_map[type_name]
    fields: dict[str, GraphQLField] = type_.fields
    at_hand = {name: one for name, one in fields.items() if f"{type_name}.{name}" not in draft.excluded}
    names = [name for name, one in at_hand.items() if depth > 0 or not is_composite_type(get_named_type(one.type))]
    name = draft.draw(st.sampled_from([*names, "__typename"]))
    if name == "__typename" or name not in fields:
        return f"t{draft.fresh()}: __typename"
    key = SEALED if name == draft.random_field else f"k{draft.fresh()}"
    below = get_named_type(fields[name].type)
    inner = f" {_selection(draft, below.name, depth - 1)}" if is_composite_type(below) else ""
    return f"{key}: {name}{_arguments(draft, fields[name])}{_directive(draft)}{inner}"


def _directive(draft: _Draft) -> str:
    if draft.draw(st.integers(0, 9)):
        return ""
    word, value = draft.draw(st.sampled_from(["include", "skip"])), draft.draw(st.booleans())
    if draft.draw(st.booleans()):
        return f" @{word}(if: {str(value).lower()})"
    return f" @{word}(if: {_variable(draft, 'Boolean!', value)})"


def _arguments(draft: _Draft, of: GraphQLField) -> str:
    written_arguments: list[str] = []
    for name, argument in of.args.items():
        required = isinstance(argument.type, GraphQLNonNull)
        if not required and draft.draw(st.integers(0, 2)):
            continue
        value = _value(draft, name, argument.type)
        as_variable = draft.draw(st.booleans())
        written = (
            _variable(draft, str(argument.type), value)
            if as_variable
            else _literal_with_variables(draft, argument.type, value)
        )
        written_arguments.append(f"{name}: {written}")
    return f"({', '.join(written_arguments)})" if written_arguments else ""


def _variable(draft: _Draft, type_name: str, value: Any) -> str:
    name = f"v{draft.fresh()}"
    nullable = not type_name.endswith("!")
    default = draft.draw(st.sampled_from(["none", "none", "default", "left out"])) if nullable else "none"
    if default == "none":
        draft.declared.append(f"${name}: {type_name}")
        draft.variables[name] = _as_json(value)
    elif default == "default":
        draft.declared.append(f"${name}: {type_name} = {_literal(value)}")
    else:
        draft.declared.append(f"${name}: {type_name}")
    return f"${name}"


def _literal_with_variables(draft: _Draft, type_: Any, value: Any) -> str:
    """A literal with variables in place of some of its values."""
    if isinstance(type_, GraphQLNonNull):
        return _literal_with_variables(draft, type_.of_type, value)
    if isinstance(type_, GraphQLList) and isinstance(value, list):
        return f"[{', '.join(_nested_value(draft, type_.of_type, one) for one in value)}]"
    if isinstance(type_, GraphQLInputObjectType) and isinstance(value, dict):
        fields = [f"{name}: {_nested_value(draft, type_.fields[name].type, one)}" for name, one in value.items()]
        return f"{{{', '.join(fields)}}}"
    return _literal(value)


def _nested_value(draft: _Draft, type_: Any, value: Any) -> str:
    as_variable = not draft.draw(st.integers(0, 2))
    return _variable(draft, str(type_), value) if as_variable else _literal_with_variables(draft, type_, value)


POOL_KINDS = {
    "ownerId": "tenants",
    "tenantId": "tenants",
    "after": "cursors",
    "before": "cursors",
    "name": "names",
    "externalId": "names",
}


class EnumValue(str):
    """An enum value, which a document writes without quotes."""


def _value(draft: _Draft, name: str, type_: Any) -> Any:
    draw = draft.draw
    if isinstance(type_, GraphQLNonNull):
        return _value(draft, name, type_.of_type)
    if isinstance(type_, GraphQLList):
        values = [_value(draft, name.removesuffix("s"), type_.of_type) for _ in range(draw(st.integers(0, 3)))]
        # GraphQL coerces a single value to a list of one.
        return values[0] if len(values) == 1 and draw(st.booleans()) else values
    if isinstance(type_, GraphQLEnumType):
        return EnumValue(draw(st.sampled_from(sorted(type_.values))))
    if isinstance(type_, GraphQLInputObjectType):
        return _object(draft, type_)
    if str(type_) == "Boolean":
        return draw(st.booleans())
    if str(type_) == "Cursor":
        return f"@log_cursors-{draw(st.integers(0, 40))}"
    if str(type_) == "ByteCount":
        return draw(st.sampled_from([0, 2**53 - 1]))
    if str(type_) == "Int":
        return draw(st.sampled_from([1, 1, 2, 2, 3, 5, 100, 0, 101]))
    return f"@{POOL_KINDS.get(name, 'ids')}-{draw(st.integers(0, 40))}"


def _object(draft: _Draft, type_: GraphQLInputObjectType) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, one in type_.fields.items():
        required = isinstance(one.type, GraphQLNonNull)
        how = draft.draw(st.sampled_from(["given"] if required else ["given", "null", "left out", "left out"]))
        if how != "left out":
            fields[name] = _value(draft, name, one.type) if how == "given" else None
    return fields


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    return str(value) if isinstance(value, EnumValue) else value


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_literal(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(one) for one in value)}]"
    return value if isinstance(value, EnumValue) else json.dumps(value)

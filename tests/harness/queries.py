"""Valid queries that nobody thought of: drawn from the schema, with IDs and cursors of rows that are there."""

import json
import re
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

CORE = build_schema()._schema
ABSTRACT: tuple[Any, ...] = tuple(CORE.type_map[name] for name in ("Node", "WatchItem"))
OBJECTS_OF = {of.name: [one.name for one in CORE.get_possible_types(of)] for of in ABSTRACT}
DEPTH = 4
# Random by design: compared by its presence alone.
SEALED = "watchCursor"
# What of an object at hand has to be read from the store all the same.
LOADED = {
    "Image.members",
    "Image.viewerMembership",
    "Tenant.images",
    "MemberState.member",
    "MemberStatusChanged.member",
    "ImageState.image",
    "ImageChanged.image",
}


@dataclass
class Pool:
    """Values that mean something in the store at hand. A query is drawn before there is one, and filled in then."""

    ids: list[str]
    tenants: list[str]
    names: list[str]
    cursors: list[str]
    places: list[str]

    def value(self, sort: str, number: int) -> str:
        values: list[str] = getattr(self, sort)
        return values[number % len(values)]


@dataclass
class Query:
    """The text of an operation, and its variables, with places for the values of a pool."""

    text: str
    variables: dict[str, Any]

    def filled(self, pool: Pool) -> "Query":
        text = PLACE.sub(lambda found: json.dumps(pool.value(found[1], int(found[2]))), self.text)
        return Query(text, _filled(self.variables, pool))


PLACE = re.compile(r'"@(\w+)-(\d+)"')


def _filled(value: Any, pool: Pool) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, pool) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, pool) for one in value]
    found = PLACE.fullmatch(f'"{value}"')
    return pool.value(found[1], int(found[2])) if found else value


@dataclass
class _Draft:
    """What comes with the text of a query while it is drawn."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    declared: list[str] = field(default_factory=list[str])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    fragments: list[str] = field(default_factory=list[str])
    left_out: set[str] = field(default_factory=set[str])
    sealed: str = SEALED
    number: int = 0

    def fresh(self) -> int:
        self.number += 1
        return self.number


@st.composite
def queries(draw: Any) -> Query:
    """Of anything but the log, whose pages end in cursors that are random by design."""
    draft = _Draft(draw, left_out={"Query.offerEvents"})
    return _written(draft, "query", _selection(draft, "Query", DEPTH))


@st.composite
def operations_of(draw: Any, kind: str, name: str, inner: str | None = None) -> Query:
    """Operations of one root field, which ask for nothing that has to be loaded: for this, or for what is drawn."""
    draft = _Draft(draw, left_out=LOADED, sealed="endCursor")
    root: Any = CORE.type_map[kind.capitalize()]
    field = root.fields[name]
    inner = inner or _selection(draft, get_named_type(field.type).name, DEPTH)
    return _written(draft, kind, f"{{ k{draft.fresh()}: {name}{_arguments(draft, field)} {inner} }}")


def _written(draft: _Draft, kind: str, body: str) -> Query:
    declared = f"({', '.join(draft.declared)})" if draft.declared else ""
    return Query("\n".join([f"{kind} Q{declared} {body}", *draft.fragments]), draft.variables)


def _selection(draft: _Draft, type_name: str, depth: int) -> str:
    number = draft.draw(st.integers(1, 4 if depth < DEPTH else 2))
    return "{ " + " ".join(_piece(draft, type_name, depth) for _ in range(number)) + " }"


def _piece(draft: _Draft, type_name: str, depth: int) -> str:
    kind = draft.draw(st.sampled_from(["field"] * 7 + ["inline", "named"]))
    if kind == "field" or type_name == "Query":
        return _field(draft, type_name, depth)
    inner = draft.draw(st.sampled_from(OBJECTS_OF.get(type_name, [type_name])))
    if kind == "inline":
        return f"... on {inner}{_switch(draft)} {_selection(draft, inner, depth - 1)}"
    name = f"F{draft.fresh()}"
    draft.fragments.append(f"fragment {name} on {inner} {_selection(draft, inner, depth - 1)}")
    return f"...{name}{_switch(draft)}"


def _field(draft: _Draft, type_name: str, depth: int) -> str:
    type_: Any = CORE.type_map[type_name]
    fields: dict[str, GraphQLField] = type_.fields
    at_hand = {name: one for name, one in fields.items() if f"{type_name}.{name}" not in draft.left_out}
    names = [name for name, one in at_hand.items() if depth > 0 or not is_composite_type(get_named_type(one.type))]
    name = draft.draw(st.sampled_from([*names, "__typename"]))
    if name == "__typename" or name not in fields:
        return f"t{draft.fresh()}: __typename"
    key = SEALED if name == draft.sealed else f"k{draft.fresh()}"
    below = get_named_type(fields[name].type)
    inner = f" {_selection(draft, below.name, depth - 1)}" if is_composite_type(below) else ""
    return f"{key}: {name}{_arguments(draft, fields[name])}{_switch(draft)}{inner}"


def _switch(draft: _Draft) -> str:
    if draft.draw(st.integers(0, 9)):
        return ""
    word, value = draft.draw(st.sampled_from(["include", "skip"])), draft.draw(st.booleans())
    if draft.draw(st.booleans()):
        return f" @{word}(if: {str(value).lower()})"
    return f" @{word}(if: {_variable(draft, 'Boolean!', value)})"


def _arguments(draft: _Draft, of: GraphQLField) -> str:
    given: list[str] = []
    for name, argument in of.args.items():
        needed = isinstance(argument.type, GraphQLNonNull)
        if not needed and draft.draw(st.integers(0, 2)):
            continue
        value = _value(draft, name, argument.type)
        as_variable = draft.draw(st.booleans())
        written = _variable(draft, str(argument.type), value) if as_variable else _mixed(draft, argument.type, value)
        given.append(f"{name}: {written}")
    return f"({', '.join(given)})" if given else ""


def _variable(draft: _Draft, type_name: str, value: Any) -> str:
    name = f"v{draft.fresh()}"
    nullable = not type_name.endswith("!")
    default = draft.draw(st.sampled_from(["none", "none", "default", "left out"])) if nullable else "none"
    if default == "none":
        draft.declared.append(f"${name}: {type_name}")
        draft.variables[name] = _plain(value)
    elif default == "default":
        draft.declared.append(f"${name}: {type_name} = {_literal(value)}")
    else:
        draft.declared.append(f"${name}: {type_name}")
    return f"${name}"


def _mixed(draft: _Draft, type_: Any, value: Any) -> str:
    """A literal, in which variables stand for some of the values."""
    if isinstance(type_, GraphQLNonNull):
        return _mixed(draft, type_.of_type, value)
    if isinstance(type_, GraphQLList) and isinstance(value, list):
        return f"[{', '.join(_part(draft, type_.of_type, one) for one in value)}]"
    if isinstance(type_, GraphQLInputObjectType) and isinstance(value, dict):
        return (
            f"{{{', '.join(f'{name}: {_part(draft, type_.fields[name].type, one)}' for name, one in value.items())}}}"
        )
    return _literal(value)


def _part(draft: _Draft, type_: Any, value: Any) -> str:
    as_variable = not draft.draw(st.integers(0, 2))
    return _variable(draft, str(type_), value) if as_variable else _mixed(draft, type_, value)


SORTS = {"ownerId": "tenants", "tenantId": "tenants", "after": "cursors", "before": "cursors", "name": "names"}


class Word(str):
    """A word of an enum, which stands without quotes in a document."""


def _value(draft: _Draft, name: str, type_: Any) -> Any:
    draw = draft.draw
    if isinstance(type_, GraphQLNonNull):
        return _value(draft, name, type_.of_type)
    if isinstance(type_, GraphQLList):
        values = [_value(draft, name.removesuffix("s"), type_.of_type) for _ in range(draw(st.integers(0, 3)))]
        # GraphQL takes a single value for a list of one.
        return values[0] if len(values) == 1 and draw(st.booleans()) else values
    if isinstance(type_, GraphQLEnumType):
        return Word(draw(st.sampled_from(sorted(type_.values))))
    if isinstance(type_, GraphQLInputObjectType):
        return _object(draft, type_)
    if str(type_) == "Boolean":
        return draw(st.booleans())
    if str(type_) == "Cursor":
        return f"@places-{draw(st.integers(0, 40))}"
    if str(type_) == "ByteCount":
        return draw(st.sampled_from([0, 2**53 - 1]))
    if str(type_) == "Int":
        return draw(st.sampled_from([1, 1, 2, 2, 3, 5, 100, 0, 101]))
    return f"@{SORTS.get(name, 'ids')}-{draw(st.integers(0, 40))}"


def _object(draft: _Draft, type_: GraphQLInputObjectType) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, one in type_.fields.items():
        needed = isinstance(one.type, GraphQLNonNull)
        how = draft.draw(st.sampled_from(["given"] if needed else ["given", "null", "left out", "left out"]))
        if how != "left out":
            given[name] = _value(draft, name, one.type) if how == "given" else None
    return given


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Word) else value


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_literal(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(one) for one in value)}]"
    return value if isinstance(value, Word) else json.dumps(value)

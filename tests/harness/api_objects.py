"""Generates API objects field by field from the schema, and executes operations on them with graphql-core."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from inspect import isawaitable
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from graphql import (
    Executor,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    parse,
)
from hypothesis import strategies as st

from app.api.plan.rendering import definition_of
from app.api.types.nodes import Member
from app.model import SeenImage
from app.settings import Settings
from tests.harness.queries import CORE, READ_FROM_STORE, operations_of
from tests.harness.query_pool import Pool, Query

WORDS = st.sampled_from(["", "ubuntu", 'say "hi"', "back\\slash", "naïve ☃ 𝄞", "</script>\n"])
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).flatmap(
    lambda moment: st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]).map(
        lambda zone: moment.replace(tzinfo=zone)
    )
)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "String": WORDS,
    "ID": WORDS,
    "Cursor": WORDS,
    "Int": st.integers(-(2**31), 2**31 - 1),
    "ByteCount": st.integers(0, 2**53 - 1),
    "Boolean": st.booleans(),
    "DateTime": TIMES,
}
SMALL = st.integers(0, 9)
IMAGES = st.builds(
    SeenImage,
    size_bytes=st.none() | st.integers(0, 2**53 - 1),
    min_disk_gb=SMALL,
    min_ram_mb=SMALL,
    created_at=TIMES,
    updated_at=TIMES,
)


def field_values(type_: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type can have."""
    if isinstance(type_, GraphQLNonNull):
        return _non_null_values(type_.of_type)
    return st.none() | _non_null_values(type_)


def _non_null_values(type_: Any) -> st.SearchStrategy[Any]:
    if isinstance(type_, GraphQLEnumType):
        return st.sampled_from(list(cast(Any, type_).wrapped_cls))
    if is_leaf_type(type_):
        return LEAVES[type_.name]
    if isinstance(type_, GraphQLList):
        return st.lists(field_values(type_.of_type), max_size=2)
    if is_abstract_type(type_):
        return st.one_of([_non_null_values(one) for one in CORE.get_possible_types(type_)])
    return _objects(type_)


def _objects(type_: Any) -> st.SearchStrategy[Any]:
    fields = {definition_of(field).python_name: field for field in type_.fields.values()}
    attributes = {
        name: field_values(field.type) for name, field in fields.items() if definition_of(field).is_basic_field
    }
    make: Callable[..., Any] = definition_of(type_).origin
    if make is Member:
        attributes |= {"image_id": WORDS, "seen_image": IMAGES}
    return st.builds(make, **attributes)


ROOTS: dict[str, Any] = {
    "query": CORE.query_type,
    "mutation": CORE.mutation_type,
    "subscription": CORE.subscription_type,
}
POOL = Pool(["1", 'say "hi"'], ["1", "2002"], ["ubuntu"], ["a", "b"], ["c", ""])


class Case(NamedTuple):
    """An operation on one root field, and a value for that field."""

    query: Query
    value: Any


def full_selection(type_name: str) -> str:
    """A selection of every field of a type that needs no read from the store."""
    type_: Any = CORE.type_map[type_name]
    if is_abstract_type(type_):
        return f"{{ {' '.join(f'... on {one} {full_selection(one.name)}' for one in CORE.get_possible_types(type_))} }}"
    below: dict[str, Any] = {name: get_named_type(field.type) for name, field in type_.fields.items()}
    loaded = {name: of for name, of in below.items() if f"{type_name}.{name}" not in READ_FROM_STORE}
    fields = (name + (full_selection(of.name) if is_composite_type(of) else "") for name, of in loaded.items())
    return f"{{ __typename {' '.join(fields)} }}"


@st.composite
def cases(draw: Any, roots: list[tuple[str, str]], all_fields: bool = False) -> Case:
    """An operation on one of the roots, with some of its fields or with all of them."""
    kind, name = draw(st.sampled_from(roots))
    field = ROOTS[kind].fields[name]
    query = draw(operations_of(kind, name, full_selection(get_named_type(field.type).name) if all_fields else None))
    return Case(query.fill(POOL), draw(field_values(field.type)))


@dataclass
class ContextStub:
    """The part of a context that execution needs when nothing is read from the store."""

    caller: None = None
    request_id: str = "test"
    services: Any = field(default_factory=lambda: SimpleNamespace(settings=Settings()))


async def execute_with_core(query: Query, value: Any) -> Any:
    """Execute an operation with graphql-core, with this value for its root field, and return the data."""

    def resolve_root(resolve: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
        return value if info.path.prev is None else resolve(source, info, **arguments)

    executor: Any = Executor.build(
        CORE,
        parse(query.text),
        context_value=ContextStub(),
        raw_variable_values=query.variables,
        operation_name="Q",
        middleware=[resolve_root],
    )
    result = executor.execute_operation()
    result = await result if isawaitable(result) else result
    assert not result.errors, result.errors
    return result.data

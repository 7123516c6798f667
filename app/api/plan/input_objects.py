"""Arguments on their way to a resolver: what GraphQL has coerced becomes what Strawberry gives its resolvers.

Strawberry works out at each call which field is which; here that is done once.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, cast

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, is_leaf_type

from app.api.plan.rendering import definition_of
from app.documents.unplanned import Unplanned

Take = Callable[[Any], Any]


def arguments_of(field: GraphQLField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function that gives the arguments of a root field as its resolver takes them."""
    args = cast(Mapping[str, Any], field.args)
    takes = tuple((name, definition_of(of).python_name, taking(of.type)) for name, of in args.items())

    def taken(given: Mapping[str, Any]) -> dict[str, Any]:
        return {python_name: take(given[name]) for name, python_name, take in takes if name in given}

    return taken


def taking(type_: Any) -> Take:
    """A function that gives a coerced value of this type as a resolver takes it."""
    if isinstance(type_, GraphQLNonNull):
        return taking(cast(Any, type_).of_type)
    if is_leaf_type(type_):
        return lambda value: value
    if isinstance(type_, GraphQLList):
        return _list_of(cast(Any, type_).of_type)
    return _input(cast(GraphQLInputObjectType, type_))


def _list_of(type_: Any) -> Take:
    # The list is copied: GraphQL gives the same default to all who leave the value out.
    take = taking(type_)
    return lambda values: None if values is None else [take(value) for value in values]


def _input(type_: GraphQLInputObjectType) -> Take:
    definition = definition_of(type_)
    if definition.from_input is not None:
        raise Unplanned("input type")
    fields = [(name, definition_of(field), field.type) for name, field in type_.fields.items()]
    takes = tuple((name, field.python_name, taking(of)) for name, field, of in fields)
    # What has no default and is absent is null, as Strawberry has it.
    absent: dict[str, Any] = {
        field.python_name: None
        for _, field, _ in fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    make = definition.origin

    def taken(value: Mapping[str, Any] | None) -> Any:
        if value is None:
            return None
        return make(**{**absent, **{python: take(value[name]) for name, python, take in takes if name in value}})

    return taken

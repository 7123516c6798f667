"""Converts coerced GraphQL arguments to the Python arguments of Strawberry resolvers.

Strawberry looks up the fields of input types in each call; here that is done once.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, cast

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, is_leaf_type

from app.api.plan.rendering import definition_of
from app.documents.unplanned import Unplanned

Convert = Callable[[Any], Any]


def argument_converter(field: GraphQLField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function that converts the arguments of a root field for its resolver."""
    args = cast(Mapping[str, Any], field.args)
    conversions = tuple((name, definition_of(of).python_name, converter(of.type)) for name, of in args.items())

    def convert_all(coerced: Mapping[str, Any]) -> dict[str, Any]:
        return {python_name: convert(coerced[name]) for name, python_name, convert in conversions if name in coerced}

    return convert_all


def converter(type_: Any) -> Convert:
    """A function that converts a coerced value of this type for a resolver."""
    if isinstance(type_, GraphQLNonNull):
        return converter(cast(Any, type_).of_type)
    if is_leaf_type(type_):
        return lambda value: value
    if isinstance(type_, GraphQLList):
        return _list_of(cast(Any, type_).of_type)
    return _input(cast(GraphQLInputObjectType, type_))


def _list_of(type_: Any) -> Convert:
    # The list is copied, because GraphQL shares one default object among all calls.
    convert = converter(type_)
    return lambda values: None if values is None else [convert(value) for value in values]


def _input(type_: GraphQLInputObjectType) -> Convert:
    definition = definition_of(type_)
    if definition.from_input is not None:
        raise Unplanned("input type")
    fields = [(name, definition_of(field), field.type) for name, field in type_.fields.items()]
    conversions = tuple((name, field.python_name, converter(of)) for name, field, of in fields)
    # Like Strawberry, set absent fields without a default to None.
    absent: dict[str, Any] = {
        field.python_name: None
        for _, field, _ in fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    make = definition.origin

    def convert_object(value: Mapping[str, Any] | None) -> Any:
        if value is None:
            return None
        present = {python: convert(value[name]) for name, python, convert in conversions if name in value}
        return make(**{**absent, **present})

    return convert_object

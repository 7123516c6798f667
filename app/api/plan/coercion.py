"""Coerces common variables and literals. Everything else is left to graphql-core."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import graphql
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from app.documents.limits import MOST_VALUES
from app.documents.unplanned import Unplanned

Check = Callable[[Any], Any]
type_of: Callable[[GraphQLSchema, Any], Any] = cast(Any, graphql).type_from_ast
INT = range(-(2**31), 2**31)


class Absent:
    """The type of ABSENT: no value, not even null."""


ABSENT = Absent()


def coercer(type_: Any) -> Check:
    """A function that coerces a value of this type, with lists as tuples. It raises Unplanned for any other value."""
    if isinstance(type_, GraphQLNonNull):
        return _not_null(coercer(cast(Any, type_).of_type))
    if isinstance(type_, GraphQLList):
        return _nullable(_list_of(coercer(cast(Any, type_).of_type)))
    if isinstance(type_, GraphQLEnumType):
        return _nullable(_one_of(frozenset(type_.values)))
    if isinstance(type_, GraphQLInputObjectType):
        return _nullable(_object_of(type_))
    if (check := _SCALARS.get(str(type_))) is None:
        raise Unplanned("input type")
    return _nullable(check)


def _nullable(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _not_null(check: Check) -> Check:
    def checked_value(value: Any) -> Any:
        if value is None:
            raise Unplanned("null")
        return check(value)

    return checked_value


def _list_of(check: Check) -> Check:
    def checked_value(value: Any) -> Any:
        # GraphQL coerces a single value to a list of one.
        values = cast(list[Any], value if isinstance(value, (list, tuple)) else [value])
        if len(values) > MOST_VALUES:
            raise Unplanned("value")
        return tuple([check(one) for one in values])

    return checked_value


def _object_of(type_: GraphQLInputObjectType) -> Check:
    """A check of an input object, whose fields keep the names of the schema."""
    fields: dict[str, Any] = {**type_.fields}
    checks = {name: coercer(field.type) for name, field in fields.items()}
    for field in fields.values():
        # Resolvers receive the internal values of enums and defaults, not their names in the document.
        if isinstance(get_named_type(field.type), GraphQLEnumType) or _has_default(field):
            raise Unplanned("input type")
    required = {name for name, field in fields.items() if isinstance(field.type, GraphQLNonNull)}

    def checked_value(value: Any) -> Any:
        if type(value) is not dict or not required <= cast(dict[str, Any], value).keys():
            raise Unplanned("value")
        try:
            return {name: checks[name](one) for name, one in cast(dict[str, Any], value).items()}
        except KeyError:
            raise Unplanned("value") from None

    return checked_value


def _has_default(field: Any) -> bool:
    return field.default_value is not None and type(field.default_value).__name__ != "UndefinedType"


def _one_of(words: frozenset[str]) -> Check:
    def checked_value(value: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise Unplanned("value")
        return value

    return checked_value


def _text(value: Any) -> Any:
    if type(value) is not str:
        raise Unplanned("value")
    return value


def _id(value: Any) -> Any:
    return str(value) if type(value) is int else _text(value)


def _int(value: Any) -> Any:
    if type(value) is not int or value not in INT:
        raise Unplanned("value")
    return value


def _bool(value: Any) -> Any:
    if type(value) is not bool:
        raise Unplanned("value")
    return value


_SCALARS: dict[str, Check] = {"ID": _id, "String": _text, "Int": _int, "Boolean": _bool}


def literal(node: ValueNode, values: Mapping[str, Any]) -> Any:
    """The value of a literal, with the values of the variables in it."""
    if isinstance(node, VariableNode):
        return values.get(node.name.value, ABSENT)
    if isinstance(node, NullValueNode):
        return None
    if isinstance(node, IntValueNode):
        # As an ID, -0 and 0 differ, and long numbers go beyond every other type.
        return int(node.value) if len(node.value) < 12 and node.value != "-0" else ABSENT
    if isinstance(node, (StringValueNode, EnumValueNode, BooleanValueNode)):
        return node.value
    if isinstance(node, ListValueNode):
        return [literal(value, values) for value in node.values or ()]
    raise Unplanned("literal")


def has_variable(node: ValueNode) -> bool:
    """Whether a literal contains a variable."""
    if isinstance(node, ListValueNode):
        return any(map(has_variable, node.values or ()))
    return isinstance(node, VariableNode)


class Variables:
    """The declared variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._checks: list[tuple[str, Check, Any]] = []
        self.sizes: list[str] = []
        for definition in operation.variable_definitions or ():
            name, type_ = definition.variable.name.value, type_of(schema, definition.type)
            check = coercer(type_)
            default = ABSENT if definition.default_value is None else check(literal(definition.default_value, {}))
            self._checks.append((name, check, default))
            if str(type_).startswith(("Int", "[ID")):
                self.sizes.append(name)

    def coerce(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The coerced values, without absent variables that have no default. Raises Unplanned."""
        values: dict[str, Any] = {}
        for name, check, default in self._checks:
            value = check(raw[name]) if name in raw else default
            if value is not ABSENT:
                values[name] = value
            elif name not in raw:
                self._require_nullable(check)
        return values

    @staticmethod
    def _require_nullable(check: Check) -> None:
        check(None)

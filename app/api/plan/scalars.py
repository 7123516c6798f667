"""Serializes scalars and enums, with a shortcut for values that already have the type of the response."""

from collections.abc import Callable
from typing import Any, cast

from graphql import GraphQLEnumType, Undefined

from app.api.plan.coercion import INT

Render = Callable[[Any], Any]


def leaf_renderer(type_: Any) -> Render:
    """A function that serializes a value of the type. It raises for None and any other invalid value."""
    if isinstance(type_, GraphQLEnumType):
        enum: Any = cast(Any, type_).wrapped_cls
        return {enum(value.value): name for name, value in type_.values.items()}.__getitem__
    coerce = _strict_coercion(type_)
    shortcut = _SHORTCUTS.get(type_.name)
    return coerce if shortcut is None else shortcut(coerce)


def _strict_coercion(type_: Any) -> Render:
    coerce: Render = type_.coerce_output_value

    def coerce_strictly(value: Any) -> Any:
        serialized = coerce(value)
        if serialized is None or serialized is Undefined:
            raise TypeError(f"{type_} can't be {value!r}")
        return serialized

    return coerce_strictly


def _text(coerce: Render) -> Render:
    return lambda value: value if type(value) is str else coerce(value)


def _int(coerce: Render) -> Render:
    return lambda value: value if type(value) is int and value in INT else coerce(value)


def _bool(coerce: Render) -> Render:
    return lambda value: value if type(value) is bool else coerce(value)


_SHORTCUTS: dict[str, Callable[[Render], Render]] = {"String": _text, "ID": _text, "Int": _int, "Boolean": _bool}

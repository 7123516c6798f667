"""Scalars and enums of the answer: each value as its type writes it, the ordinary ones without being asked twice."""

from collections.abc import Callable
from typing import Any, cast

from graphql import GraphQLEnumType, Undefined

from app.api.plan.coercion import INT

Render = Callable[[Any], Any]


def leaf(type_: Any) -> Render:
    """A function that writes a value of the type. It raises when the value is none, null included."""
    if isinstance(type_, GraphQLEnumType):
        words: Any = cast(Any, type_).wrapped_cls
        return {words(value.value): name for name, value in type_.values.items()}.__getitem__
    coerce = _coercing(type_)
    ordinary = _ORDINARY.get(type_.name)
    return coerce if ordinary is None else ordinary(coerce)


def _coercing(type_: Any) -> Render:
    coerce: Render = type_.coerce_output_value

    def written(value: Any) -> Any:
        made = coerce(value)
        if made is None or made is Undefined:
            raise TypeError(f"{type_} can't be {value!r}")
        return made

    return written


def _text(coerce: Render) -> Render:
    return lambda value: value if type(value) is str else coerce(value)


def _int(coerce: Render) -> Render:
    return lambda value: value if type(value) is int and value in INT else coerce(value)


def _bool(coerce: Render) -> Render:
    return lambda value: value if type(value) is bool else coerce(value)


_ORDINARY: dict[str, Callable[[Render], Render]] = {"String": _text, "ID": _text, "Int": _int, "Boolean": _bool}

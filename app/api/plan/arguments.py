"""Binds the arguments of a planned field to the store's parameters: a window of a list, or IDs."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from graphql import FieldNode, GraphQLField, GraphQLNonNull, ValueNode, VariableNode

from app.api.plan.coercion import ABSENT, Check, coercer, has_variable, literal
from app.api.types.image_queries import image_filter
from app.api.types.offer_queries import member_filter
from app.api.types.paging import page_request
from app.documents.unplanned import Unplanned
from app.sharing import formats
from app.store.plan.windows import Ids, RowFilter, Selector, Window

ArgumentValues = dict[str, Any]
MAX_IDS = 100


class Arguments:
    """The arguments of one field: constants from the document, and those that depend on variables."""

    def __init__(self, field: GraphQLField, node: FieldNode) -> None:
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        self._constants: ArgumentValues = {}
        self._from_variables: list[tuple[str, str, Any]] = []
        self._with_variables: list[tuple[str, Check, ValueNode]] = []
        definitions: dict[str, Any] = {**field.args}
        self._not_null = {name for name, one in definitions.items() if isinstance(one.type, GraphQLNonNull)}
        for name, definition in definitions.items():
            default = _default(definition)
            value = arguments.get(name)
            if isinstance(value, VariableNode):
                self._from_variables.append((name, value.name.value, default))
            elif value is None:
                self._constants[name] = default
            elif has_variable(value):
                self._with_variables.append((name, coercer(definition.type), value))
            else:
                self._constants[name] = coercer(definition.type)(literal(value, {}))

    def bind(self, values: Mapping[str, Any]) -> ArgumentValues:
        if not self._from_variables and not self._with_variables:
            return self._constants
        arguments = dict(self._constants)
        for name, variable, default in self._from_variables:
            value = values.get(variable, ABSENT)
            arguments[name] = default if value is ABSENT else value
            if arguments[name] is None and name in self._not_null:
                raise Unplanned("null")
        for name, check, node in self._with_variables:
            arguments[name] = check(literal(node, values))
        return arguments


def _default(definition: Any) -> Any:
    """The default of an argument, in the form of a literal; None if it has none."""
    default = definition.default_value
    if default is None or type(default).__name__ == "UndefinedType":
        return None
    return tuple(cast(list[Any], default)) if isinstance(default, list) else default


FilterFactory = Callable[[str, ArgumentValues], RowFilter]
FILTERS: dict[tuple[str, str], FilterFactory] = {
    ("root", "images"): lambda pattern, arguments: image_filter(
        pattern,
        arguments["memberStatus"],
        arguments["ownerId"],
        arguments["visibility"],
        arguments["status"],
        arguments["name"],
        arguments["externalId"],
        arguments["hidden"],
    ),
    ("root", "offers"): lambda pattern, arguments: member_filter(
        pattern, arguments["status"], arguments["imageId"], owner_id=arguments["ownerId"]
    ),
    ("root", "sent_offers"): lambda pattern, arguments: member_filter(
        pattern, arguments["status"], arguments["imageId"], tenant_id=arguments["tenantId"]
    ),
    ("tenant", "images"): lambda pattern, arguments: image_filter(
        pattern, None, None, arguments["visibility"], arguments["status"], None, None, arguments["hidden"]
    ),
    ("image", "members"): lambda pattern, arguments: member_filter(pattern, arguments["status"], None),
}


class PlaceBinding:
    """Produces one parameter of the statement from the variables of a request."""

    def __init__(self, arguments: Arguments, bind: Callable[[str, str, ArgumentValues], Selector]) -> None:
        self._arguments = arguments
        self._bind = bind

    def bind(self, pattern: str, viewer: str, values: Mapping[str, Any]) -> Selector:
        return self._bind(pattern, viewer, self._arguments.bind(values))


def window_binder(kind: str, relation: str) -> Callable[[str, str, ArgumentValues], Selector]:
    make_filter = FILTERS.get((kind, relation))
    if make_filter is None:
        raise Unplanned("list")

    def window(pattern: str, viewer: str, arguments: ArgumentValues) -> Selector:
        page = page_request(arguments["first"], arguments["last"], arguments["after"], arguments["before"])
        return Window(make_filter(pattern, arguments), page)

    return window


def bind_id(pattern: str, viewer: str, arguments: ArgumentValues) -> Selector:
    return Ids((_stored_id(arguments["id"], viewer),), is_list=False)


def bind_ids(pattern: str, viewer: str, arguments: ArgumentValues) -> Selector:
    if len(arguments["ids"]) > MAX_IDS:
        raise Unplanned("too many")
    return Ids(tuple(_stored_id(one, viewer) for one in arguments["ids"]), is_list=True)


def _stored_id(id: str, viewer: str) -> str:
    """The ID as the store spells it; empty, which matches nothing, if it is malformed."""
    return id if id == viewer else formats.uuid(id) or ""

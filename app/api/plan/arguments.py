"""The arguments of one field of an operation, and the window that they ask for."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from graphql import FieldNode, GraphQLField, GraphQLNonNull, ValueNode, VariableNode

from app.api.plan.coercion import ABSENT, Check, check_of, has_variable, literal
from app.api.types.image_queries import image_filter
from app.api.types.offer_queries import member_filter
from app.api.types.paging import page_request
from app.documents.unplanned import Unplanned
from app.sharing import formats
from app.store.plan.windows import Ids, Place, Wanted, Window

Given = dict[str, Any]
MAX_IDS = 100


class Arguments:
    """What is known of a field's arguments before its variables are, and which come from them."""

    def __init__(self, field: GraphQLField, node: FieldNode) -> None:
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        self._known: Given = {}
        self._from_variables: list[tuple[str, str, Any]] = []
        self._with_variables: list[tuple[str, Check, ValueNode]] = []
        definitions: dict[str, Any] = {**field.args}
        self._not_null = {name for name, one in definitions.items() if isinstance(one.type, GraphQLNonNull)}
        for name, definition in definitions.items():
            default = _default(definition)
            value = given.get(name)
            if isinstance(value, VariableNode):
                self._from_variables.append((name, value.name.value, default))
            elif value is None:
                self._known[name] = default
            elif has_variable(value):
                self._with_variables.append((name, check_of(definition.type), value))
            else:
                self._known[name] = check_of(definition.type)(literal(value, {}))

    def of(self, values: Mapping[str, Any]) -> Given:
        if not self._from_variables and not self._with_variables:
            return self._known
        given = dict(self._known)
        for name, variable, default in self._from_variables:
            value = values.get(variable, ABSENT)
            given[name] = default if value is ABSENT else value
            if given[name] is None and name in self._not_null:
                raise Unplanned("null")
        for name, check, node in self._with_variables:
            given[name] = check(literal(node, values))
        return given


def _default(definition: Any) -> Any:
    """The default of an argument, as its literal says it."""
    default = definition.default_value
    if default is None or type(default).__name__ == "UndefinedType":
        return None
    return tuple(cast(list[Any], default)) if isinstance(default, list) else default


Wants = Callable[[str, Given], Wanted]
WANTED: dict[tuple[str, str], Wants] = {
    ("root", "images"): lambda pattern, given: image_filter(
        pattern,
        given["memberStatus"],
        given["ownerId"],
        given["visibility"],
        given["status"],
        given["name"],
        given["hidden"],
    ),
    ("root", "offers"): lambda pattern, given: member_filter(
        pattern, given["status"], given["imageId"], owner_id=given["ownerId"]
    ),
    ("root", "sent_offers"): lambda pattern, given: member_filter(
        pattern, given["status"], given["imageId"], tenant_id=given["tenantId"]
    ),
    ("tenant", "images"): lambda pattern, given: image_filter(
        pattern, None, None, given["visibility"], given["status"], None, given["hidden"]
    ),
    ("image", "members"): lambda pattern, given: member_filter(pattern, given["status"], None),
}


class PlaceOf:
    """How one place of an operation is filled from its variables."""

    def __init__(self, arguments: Arguments, fill: Callable[[str, str, Given], Place]) -> None:
        self._arguments = arguments
        self._fill = fill

    def filled(self, pattern: str, viewer: str, values: Mapping[str, Any]) -> Place:
        return self._fill(pattern, viewer, self._arguments.of(values))


def window_of(kind: str, relation: str) -> Callable[[str, str, Given], Place]:
    wants = WANTED.get((kind, relation))
    if wants is None:
        raise Unplanned("list")

    def fill(pattern: str, viewer: str, given: Given) -> Place:
        page = page_request(given["first"], given["last"], given["after"], given["before"])
        return Window(wants(pattern, given), page)

    return fill


def id_of(pattern: str, viewer: str, given: Given) -> Place:
    return Ids((_known(given["id"], viewer),), is_list=False)


def ids_of(pattern: str, viewer: str, given: Given) -> Place:
    if len(given["ids"]) > MAX_IDS:
        raise Unplanned("too many")
    return Ids(tuple(_known(one, viewer) for one in given["ids"]), is_list=True)


def _known(id: str, viewer: str) -> str:
    """An ID that the store can be asked about; one that nothing can have becomes another such."""
    return id if id == viewer else formats.uuid(id) or ""

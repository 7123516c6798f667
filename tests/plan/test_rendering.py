"""Loaded objects are rendered as graphql-core would: every field, in every selection."""

from asyncio import run
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast

import orjson
import pytest
from graphql import (
    get_argument_values,
    get_named_type,
    get_variable_values,
    is_abstract_type,
    is_object_type,
    parse,
)
from hypothesis import HealthCheck, Phase, find, given, settings
from strawberry.types.arguments import convert_arguments

from app.api.plan import rendering
from app.api.plan.input_objects import argument_converter
from app.api.plan.rendering import Roots, definition_of
from app.api.schema import build_schema
from app.api.types.scalars import Cursor
from app.api.watch.items import WatchBookmark
from app.documents.selections import find_operation
from app.documents.unplanned import Unplanned
from tests.harness.api_objects import ROOTS, Case, cases, execute_with_core, field_values
from tests.harness.queries import CORE, READ_FROM_STORE
from tests.harness.query_pool import Query

SCHEMA = build_schema()
MUTATIONS = [("mutation", name) for name in ROOTS["mutation"].fields]
LOG = [("query", "offerEvents")]
WATCHES = [("subscription", name) for name in ROOTS["subscription"].fields]
MANY = settings(
    max_examples=max(25, settings().max_examples),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def roots_of(text: str) -> Roots:
    document = parse(text)
    return Roots(CORE, document, find_operation(document, "Q"))


def coerced(query: Query) -> Any:
    declared = find_operation(parse(query.text), "Q").variable_definitions or ()
    values: Any = get_variable_values(CORE, declared, query.variables)
    assert not isinstance(values, list), values
    return values


@pytest.mark.slow
@MANY
@given(case=cases(LOG + MUTATIONS + WATCHES))
async def test_loaded_objects_are_rendered_as_by_graphql_core(case: Case) -> None:
    await _compare(case)


@pytest.mark.long
@settings(MANY, max_examples=1_000)
@given(case=cases(LOG + MUTATIONS + WATCHES))
async def test_a_thousand_loaded_values_are_rendered_as_by_graphql_core(case: Case) -> None:
    await _compare(case)


async def _compare(case: Case) -> None:
    root = roots_of(case.query.text).root(coerced(case.query).coerced)

    rendered = orjson.dumps({root.key: root.render(case.value)})

    assert rendered == orjson.dumps(await execute_with_core(case.query, case.value))


@pytest.mark.parametrize("of", LOG + MUTATIONS + WATCHES, ids=lambda of: of[1])
def test_every_field_of_a_loaded_object_is_rendered_as_by_graphql_core(of: tuple[str, str]) -> None:
    """Covers each field of the schema and each kind of item, independently of what Hypothesis generates."""

    @settings(MANY, max_examples=40)
    @given(case=cases([of], all_fields=True))
    def check(case: Case) -> None:
        root = roots_of(case.query.text).root({})
        assert orjson.dumps({root.key: root.render(case.value)}) == orjson.dumps(
            run(execute_with_core(case.query, case.value))
        )

    check()


def test_one_document_is_rendered_for_each_combination_of_its_directives() -> None:
    roots = roots_of("subscription Q($at: Boolean!) { watchOffers { ... on WatchBookmark { cursor @skip(if: $at) } } }")
    item = WatchBookmark(cursor=Cursor("c"), at=datetime.now(UTC))

    rendered = [roots.root({"at": left_out}).render(item) for left_out in (False, True, False)]

    assert rendered == [{"cursor": "c"}, {}, {"cursor": "c"}]


def test_every_field_is_rendered_unless_it_has_to_be_loaded() -> None:
    """A new attribute is rendered automatically; this test finds new resolvers."""
    left = {f"{type_.name}.{name}" for type_ in _reached() for name in type_.fields if not _is_rendered(type_, name)}

    assert left == READ_FROM_STORE


def _reached() -> list[Any]:
    """The object types that can be reached from the roots through rendered fields."""
    waiting: list[Any] = [ROOTS[kind].fields[name].type for kind, name in LOG + MUTATIONS + WATCHES]
    found: dict[str, Any] = {}
    while waiting:
        named: Any = get_named_type(waiting.pop())
        for type_ in CORE.get_possible_types(named) if is_abstract_type(named) else [named]:
            if is_object_type(type_) and type_.name not in found:
                found[type_.name] = type_
                waiting += [field.type for name, field in type_.fields.items() if _is_rendered(type_, name)]
    return list(found.values())


def _is_rendered(type_: Any, name: str) -> bool:
    try:
        rendering._reader_of(f"{type_.name}.{name}", type_.fields[name])
    except Unplanned:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("subscription Q { watchOffers { ... on MemberState { member { id } } } }", "MemberState.member"),
        ("mutation Q { acceptOffer { member { image { members { totalCount } } } } }", "Image.members"),
        ("mutation Q { acceptOffer { member { tenant { images { totalCount } } } } }", "Tenant.images"),
        ("mutation Q { a: acceptOffer { errors { code } } b: acceptOffer { errors { code } } }", "root fields"),
        ("mutation Q { acceptOffer @include(if: true) { errors { code } } }", "root field"),
        ("mutation Q { acceptOffer @skip(if: true) { errors { code } } }", "root fields"),
        ("mutation Q { acceptOffer { errors @odd { code } } }", "directive"),
        ("mutation Q { __typename }", "root field"),
    ],
)
def test_an_operation_with_a_field_that_has_to_be_loaded_is_not_rendered(text: str, reason: str) -> None:
    with pytest.raises(Unplanned, match=f"^{reason}$"):
        roots_of(text).root({})


@pytest.mark.parametrize(
    "item",
    [
        WatchBookmark(cursor=Cursor("c"), at=cast(Any, None)),
        WatchBookmark(cursor=cast(Any, 5), at=datetime.now(UTC)),
        None,
        object(),
    ],
)
def test_a_value_of_the_wrong_type_is_not_rendered(item: Any) -> None:
    root = roots_of("subscription Q { watchOffers { cursor ... on WatchBookmark { at } } }").root({})

    with pytest.raises(Exception):  # noqa: B017  # graphql-core then reports the error, whatever it is
        root.render(item)


@MANY
@given(case=cases(LOG + MUTATIONS))
def test_arguments_are_converted_as_by_strawberry(case: Case) -> None:
    query = case.query
    root = roots_of(query.text).root(coerced(query).coerced)
    given_ = get_argument_values(root.field, root.node, coerced(query))
    converter = SCHEMA.schema_converter

    taken = convert_arguments(given_, definition_of(root.field).arguments, converter.scalar_registry, SCHEMA.config)

    assert argument_converter(root.field)(given_) == taken


@pytest.mark.parametrize("wrong", ["MemberStatusChanged.previousStatus", "OfferEventConnection.nodes"])
async def test_a_swapped_field_would_be_noticed(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    text = "query Q { offerEvents { nodes { previousStatus status } edges { node { status } } } }"
    swapped = {"MemberStatusChanged.previousStatus": "status", "OfferEventConnection.nodes": "edges"}
    monkeypatch.setitem(rendering.LOADED_FIELDS, wrong, attrgetter(swapped[wrong]))
    page = field_values(ROOTS["query"].fields["offerEvents"].type)
    # Without shrinking, which takes seconds.
    quick = settings(MANY, max_examples=1_000, database=None)
    shown = find(
        page, lambda page: bool(page.nodes) and page.nodes[0].status != page.nodes[0].previous_status, settings=quick
    )

    async def differs() -> bool:
        query = Query(text, {})
        try:
            return roots_of(text).root({}).render(shown) != (await execute_with_core(query, shown))["offerEvents"]
        except KeyError:
            return True

    assert await differs()

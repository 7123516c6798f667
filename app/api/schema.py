"""The schema, assembled from one file per noun."""

from collections.abc import Callable
from inspect import signature
from typing import Any, cast

import strawberry
from graphql import GraphQLField
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app import lifetime
from app.api.operation.response_size import Sized
from app.api.types import enums
from app.api.types.image_queries import ImageQueries
from app.api.types.mutations import Mutation
from app.api.types.node_queries import NodeQueries
from app.api.types.offer_queries import OfferQueries
from app.api.types.scalars import SCALARS
from app.api.watch.items import ITEMS
from app.api.watch.offer_events import OfferEventQueries
from app.api.watch.streams import Streams
from app.api.watch.subscriptions import Subscription
from app.documents.deadlines import MAX_ERRORS
from app.documents.documents import Documents, Prepare
from app.settings import Settings


@strawberry.type(description="The current state of what the caller may see.")
class Query(NodeQueries, ImageQueries, OfferQueries, OfferEventQueries):
    pass


class GatewaySchema(strawberry.Schema):
    """Strawberry's schema; `streams` runs its subscriptions, and `documents` holds what was asked lately."""

    streams: Streams
    documents: Documents

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """Errors are logged where they are published, in `faults`, and not here a second time."""


_BUILD = signature(cast(Any, StrawberryGraphQLCoreExecutionContext).build)


class Execution(StrawberryGraphQLCoreExecutionContext):
    """GraphQL's execution, which asks before each field whether its operation may still go on.

    Of the values of variables it names the first few mistakes.
    """

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:
        given = _BUILD.bind(*args, **kwargs)  # GraphQL gives some of them by position
        given.arguments["max_coercion_errors"] = MAX_ERRORS
        return cast(Any, super()).build(*given.args, **given.kwargs)

    def build_resolve_info(self, *args: Any, **kwargs: Any) -> Any:
        lifetime.require()
        return cast(Any, super()).build_resolve_info(*args, **kwargs)


class Reticent(Execution):
    """The same, which hints at no name that is misspelt in a variable."""

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:
        return cast(Any, super()).build(*args, **{**kwargs, "hide_suggestions": True})


def build_schema(settings: Settings | None = None) -> GatewaySchema:
    """The schema, with the limits of the settings on what may be asked of it."""
    _ = enums
    settings = settings or Settings()
    documents = Documents(settings)
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=ITEMS,
        extensions=[lambda: Prepare(documents), lambda: Sized(settings.max_response_bytes)],
        execution_context_class=Execution if settings.introspection else Reticent,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _ask_who_is_calling(schema)
    documents.schema = schema._schema  # pyright: ignore[reportPrivateUsage]  # the plain GraphQL schema beneath
    schema.documents = documents
    schema.streams = Streams(documents)
    return schema


def _ask_who_is_calling(schema: GatewaySchema) -> None:
    """Login comes first (P17): no root field looks at its arguments before the caller is known."""
    core = schema._schema  # pyright: ignore[reportPrivateUsage]  # the plain GraphQL schema beneath
    for root in (core.query_type, core.mutation_type, core.subscription_type):
        for field in root.fields.values() if root else ():
            _guard(field)


def _guard(field: GraphQLField) -> None:
    if field.resolve is not None:
        field.resolve = _guarded(field.resolve)
    if field.subscribe is not None:
        field.subscribe = _guarded(field.subscribe)


def _guarded(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(source: Any, info: Any, **arguments: Any) -> Any:
        _ = info.context.caller
        return resolve(source, info, **arguments)

    return guarded

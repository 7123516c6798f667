"""The schema, assembled from one file per noun."""

from collections.abc import Callable
from inspect import signature
from typing import Any, cast

import strawberry
from graphql import GraphQLField
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app import lifetime
from app.api.operation.response_size import ResponseSizeLimit
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
    """Strawberry's schema, with the runner of its subscriptions and the cache of its documents."""

    streams: Streams
    documents: Documents

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """Do nothing, because `faults` logs the errors."""


_BUILD = signature(cast(Any, StrawberryGraphQLCoreExecutionContext).build)


class Execution(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's execution, which checks the deadline before each field and limits the errors of variables."""

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:
        bound = _BUILD.bind(*args, **kwargs)  # graphql-core passes some arguments by position
        bound.arguments["max_coercion_errors"] = MAX_ERRORS
        return cast(Any, super()).build(*bound.args, **bound.kwargs)

    def build_resolve_info(self, *args: Any, **kwargs: Any) -> Any:
        lifetime.require()
        return cast(Any, super()).build_resolve_info(*args, **kwargs)


class ExecutionWithoutSuggestions(Execution):
    """An execution whose errors do not suggest names of the schema."""

    @classmethod
    def build(cls, *args: Any, **kwargs: Any) -> Any:
        return cast(Any, super()).build(*args, **{**kwargs, "hide_suggestions": True})


def build_schema(settings: Settings | None = None) -> GatewaySchema:
    """Build the schema, with the document limits of the settings."""
    _ = enums
    settings = settings or Settings()
    documents = Documents(settings)
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=ITEMS,
        extensions=[lambda: Prepare(documents), lambda: ResponseSizeLimit(settings.max_response_bytes)],
        execution_context_class=Execution if settings.introspection else ExecutionWithoutSuggestions,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _require_caller(schema)
    documents.schema = schema._schema  # pyright: ignore[reportPrivateUsage]  # the plain GraphQL schema beneath
    schema.documents = documents
    schema.streams = Streams(documents)
    return schema


def _require_caller(schema: GatewaySchema) -> None:
    """Authenticate before a root field reads its arguments."""
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

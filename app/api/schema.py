"""The schema, assembled from one file per noun."""

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLField, OperationDefinitionNode
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig

from app.api import enums
from app.api.images import ImageQueries
from app.api.lookup import NodeQueries
from app.api.members import MemberQueries
from app.api.mutations import Mutation
from app.api.scalars import SCALARS
from app.api.tenants import TenantQueries
from app.api.watch import MemberStatusChanged, Subscription, WatchBookmark
from app.errors import ErrorCode

CACHED_DOCUMENTS = 1_000


@strawberry.type
class Query(TenantQueries, NodeQueries, ImageQueries, MemberQueries):
    pass


class OneOperation(SchemaExtension):
    """A document with several operations needs to be told which one to run."""

    def on_validate(self) -> Any:
        context = self.execution_context
        document = context.graphql_document
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)] if document else []
        # Strawberry keeps what the request gave in this field alone.
        given = context._provided_operation_name  # pyright: ignore[reportPrivateUsage]
        if len(operations) > 1 and given is None:
            message = "The document has several operations. Say in operationName which one to run."
            error = GraphQLError(message, extensions={"code": ErrorCode.BAD_REQUEST})
            context.pre_execution_errors = [*(context.pre_execution_errors or ()), error]
        yield


class GatewaySchema(strawberry.Schema):
    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """Errors are logged where they are published, in `faults`, and not here a second time."""


def build_schema() -> GatewaySchema:
    _ = enums
    schema = GatewaySchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[MemberStatusChanged, WatchBookmark],
        extensions=[
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            OneOperation,
        ],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _ask_who_is_calling(schema)
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

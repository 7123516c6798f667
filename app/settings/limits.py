"""Limits on requests, operations and connections."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class LimitSettings(BaseSettings):
    """Limits on requests, operations and connections."""

    member_quota: Annotated[int, Field(ge=-1)] = Field(
        default=128,
        description="Pending and accepted members that one image may have; -1 for no limit.",
    )
    max_body_bytes: Annotated[int, Field(ge=1_000)] = Field(
        default=1_000_000, description="Largest HTTP request body in bytes; a larger one is answered with 413."
    )
    request_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30,
        description="Time in seconds that a client has to send a whole request; a slower one is answered with 408 and "
        "cut off.",
    )
    max_document_characters: Annotated[int, Field(ge=1_000)] = Field(
        default=65_536, description="Characters that a GraphQL document may have; more are QUERY_TOO_COMPLEX."
    )
    max_tokens: Annotated[int, Field(ge=200)] = Field(
        default=3_000, description="Lexical tokens that a GraphQL document may have; more are QUERY_TOO_COMPLEX."
    )
    max_depth: Annotated[int, Field(ge=1)] = Field(
        default=16, description="How deep the fields of an operation may be nested, fragments unfolded."
    )
    max_aliases: Annotated[int, Field(ge=0)] = Field(
        default=30, description="Aliases that an operation may use, fragments unfolded."
    )
    max_root_fields: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Fields that an operation may have at its root: its queries or its mutations."
    )
    max_fields: Annotated[int, Field(ge=1)] = Field(
        default=1_000, description="Fields that an operation may have in all, fragments unfolded."
    )
    max_repeats: Annotated[int, Field(ge=20)] = Field(
        default=100,
        description="How often one field name or alias may occur in a document, counted over all its fragments.",
    )
    max_cost: Annotated[int, Field(ge=1)] = Field(
        default=30_000,
        description="Cost that an operation may have: one for each field, and one more for each further KiB that it "
        "may have, times the sizes of the pages it stands in.",
    )
    max_response_bytes: Annotated[int, Field(ge=100_000)] = Field(
        default=8_000_000,
        description="Largest response in bytes. An operation whose response may become larger is QUERY_TOO_COMPLEX "
        "before it begins, and so is one whose response turns out to be larger.",
    )
    max_operations: Annotated[int, Field(ge=1)] = Field(
        default=1_000,
        description="Operations that one server process may have under way, or waiting for the store, at once; watches "
        "count only while they start. More are UNAVAILABLE at once: over HTTP 503 with `Retry-After`.",
    )
    max_operations_per_socket: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Operations that may be under way at once on one WebSocket."
    )
    max_open_connections: Annotated[int, Field(ge=50)] = Field(
        default=50_000,
        description="TCP connections of any kind that one server process holds, and never more than its file limit "
        "less 150. Beyond that it closes idle connections, and then answers new ones with 503.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        default=20_000, description="WebSockets that one server process holds in all; more are closed with 1013."
    )
    max_connections_per_address: Annotated[int, Field(ge=1)] = Field(
        default=1_000,
        description="WebSockets without a token, or not yet with one, that one client address may hold on one server "
        "process; more are closed with 1013.",
    )
    max_connections_per_tenant: Annotated[int, Field(ge=1)] = Field(
        default=1_000,
        description="WebSockets that one tenant may hold on one server process; more are closed with 1013.",
    )
    max_watches_per_tenant: Annotated[int, Field(ge=1)] = Field(
        default=5_000,
        description="Watches that one tenant may have under way on one server process; more are RATE_LIMITED, "
        "and those that come back with a cursor are closed with 1013.",
    )
    watch_loop_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25,
        description="Share of one server process's time that the watches of one tenant may take to find out what is "
        "nested in their items; those beyond it wait for their turn, and miss nothing.",
    )

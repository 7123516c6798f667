"""Every knob, read once from the environment (`IMAGE_GATEWAY_...`) and then passed on."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import setting_values
from app.errors import SetupError

PREFIX = "IMAGE_GATEWAY_"


class Settings(BaseSettings):
    """The settings; each field's description is its documentation, and the README repeats it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite+aiosqlite:///gateway.db",
        description="SQLAlchemy URL of the store: `sqlite+aiosqlite:///FILE` or `postgresql+psycopg://...`.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8000, description="TCP port to listen on; 0 takes a free one."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Server processes on the port; more than one needs PostgreSQL."
    )
    auth_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret (HS256) that signs the bearer tokens, at least 32 bytes. "
        "This or a key set is required, except with `serve --demo`.",
    )
    auth_previous_secret: SecretStr | None = Field(
        default=None,
        description="The shared secret before this one: it signs nothing, and what it has signed still counts.",
    )
    auth_jwks_url: str | None = Field(
        default=None,
        description="Where the identity provider publishes its keys (JWKS): `https`, or `http` on the loopback. "
        "Beside a shared secret, tokens of both count.",
    )
    auth_jwks_algorithms: str = Field(
        default="RS256 ES256 EdDSA",
        description="Signature algorithms that the keys of the key set may be used with: words among `RS256` `RS384` "
        "`RS512` `PS256` `PS384` `PS512` `ES256` `ES384` `ES512` `EdDSA`.",
    )
    auth_jwks_refresh_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=300,
        description="Time in seconds between two looks at the key set, and so until a withdrawn key stops counting. "
        "A key that is missing is looked for within 3 seconds.",
    )
    auth_jwks_keep: Annotated[timedelta, Field(gt=timedelta(0))] = Field(
        default=timedelta(days=1),
        description="How long the known keys stay good while the key set can't be had: an ISO 8601 duration, or "
        "seconds.",
    )
    auth_issuer: str = Field(default="image-gateway", description="Value that the `iss` claim of a token must have.")
    auth_audience: str = Field(
        default="image-gateway", description="Value that the `aud` claim of a token must have or contain."
    )
    auth_tenant_claim: str = Field(default="tenant_id", description="Claim that holds the caller's tenant ID.")
    auth_roles_claim: str = Field(
        default="roles",
        description="Claim that holds the caller's roles: a list, or one string of words. "
        "Known are `observer`, `creator`, `admin` and `operator`; others are ignored.",
    )
    auth_subject_claim: str = Field(default="sub", description="Claim that names the user, for the logs only.")
    auth_leeway_seconds: Annotated[int, Field(ge=0, le=300)] = Field(
        default=10, description="Clock difference in seconds that is forgiven when a token's times are checked."
    )
    tenant_id_pattern: str = Field(
        default="[0-9]{1,20}",
        description="Regular expression that a whole tenant ID must match. "
        "One that could match the form of a UUID is refused, since node IDs would be ambiguous.",
    )
    ide: bool = Field(default=True, description="Whether browsers find GraphiQL at `/` and `/graphql`.")
    introspection: bool = Field(
        default=True,
        description="Whether the API explains itself: introspection, `/schema.graphql`, and hints at misspelt names. "
        "GraphiQL has no docs without it. The schema is no secret either way.",
    )
    allowed_origins: str | None = Field(
        default=None,
        description="Origins, separated by commas, whose pages may use the gateway, such as "
        "`https://console.example.org`; pages of its own origin always may.",
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses or networks, separated by commas, of the proxies whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed.",
    )
    documents_path: Path | None = Field(
        default=None,
        description="Manifest of trusted documents: a JSON file, or a folder of which every `.json` file is read.",
    )
    documents_mode: Literal["optional", "only"] = Field(
        default="optional",
        description="Whether documents beside those of the manifest are carried out: `optional`, or else `only`.",
    )
    documents_max_age_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0,
        description="Time in seconds that a browser may show the answer of a persisted query asked by GET again "
        "without asking; 0 has it ask each time whether the answer has changed.",
    )
    automatic_documents_bytes: Annotated[int, Field(ge=0)] = Field(
        default=8_000_000,
        description="Memory in bytes for documents that clients persist by themselves; 0 switches that off.",
    )
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
        default=3_000, description="Words and signs that a GraphQL document may have; more are QUERY_TOO_COMPLEX."
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
        description="How often one field name or alias may stand in a document, counted over all its fragments.",
    )
    max_cost: Annotated[int, Field(ge=1)] = Field(
        default=30_000,
        description="Cost that an operation may have: one for each field, times the sizes of the pages it stands in.",
    )
    max_operations: Annotated[int, Field(ge=1)] = Field(
        default=1_000,
        description="Operations that one server process may have under way, or waiting for the store, at once; watches "
        "count only while they start. More are UNAVAILABLE at once: over HTTP 503 with `Retry-After`.",
    )
    max_operations_per_socket: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Operations that may be under way at once on one WebSocket."
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
    rate_per_tenant: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Cost that a tenant may spend a second, on average; 0 for no limit."
    )
    burst_per_tenant: Annotated[int, Field(ge=1)] = Field(
        default=100_000,
        description="Cost that a tenant may spend at once after a pause; an operation that costs more takes all of it.",
    )
    rate_per_address: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="The same for a client address, for those without a token or with a bad one; 0 for no limit.",
    )
    burst_per_address: Annotated[int, Field(ge=1)] = Field(
        default=2_000, description="Cost that may be spent at once from a client address, without a good token."
    )
    max_messages_per_second: Annotated[int, Field(ge=10)] = Field(
        default=1_000,
        description="Messages that one WebSocket may send a second, and twice as many at once; with more it is closed "
        "with 4429.",
    )
    max_frame_bytes: Annotated[int, Field(ge=1_000)] = Field(
        default=65_536,
        description="Largest message over WebSocket in bytes, all its frames together; with a larger one it is closed "
        "with 1009.",
    )
    connection_init_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10, description="Time in seconds that a WebSocket client has to send `connection_init`."
    )
    bookmark_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15, description="Longest silence in seconds of a watch: then a bookmark tells how far it has read."
    )
    poll_seconds: Annotated[float, Field(gt=0)] = Field(
        default=0.5, description="Longest time in seconds until a committed change is noticed when its hint was lost."
    )
    feed_ring_size: Annotated[int, Field(ge=1)] = Field(
        default=10_000,
        description="Newest events that are kept in memory for the watches; older ones are read again.",
    )
    event_retention: Annotated[timedelta, Field(gt=timedelta(0))] = Field(
        default=timedelta(days=7),
        description="How long a change stays in the log, so that a cursor can go back to it: an ISO 8601 duration such "
        "as `P7D`, or seconds.",
    )
    event_retention_count: Annotated[int, Field(ge=0)] = Field(
        default=10_000, description="Newest changes that stay in the log however old they are."
    )
    parse_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1, description="Processor time in seconds that parsing a document may take; then it is TIMEOUT."
    )
    validation_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1, description="Processor time in seconds that validating a document may take; then it is TIMEOUT."
    )
    query_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10,
        description="Time in seconds from when a query is taken on to its answer; then it is TIMEOUT, and nothing more "
        "of it begins.",
    )
    mutation_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10,
        description="The same of a mutation. A transaction that has begun by then is carried out all the same.",
    )
    watch_item_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10,
        description="Time in seconds that a watch may take to start, or to find out what is asked of one item; then it "
        "is cut (1013), and comes back with its cursor.",
    )
    stall_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30,
        description="Time in seconds after which a client that takes no byte of its answers is cut off; "
        "it comes back with its cursor.",
    )
    drain_seconds: Annotated[int, Field(ge=1, le=14)] = Field(
        default=10, description="Time in seconds that requests under way have to finish after SIGTERM."
    )
    drain_notice_seconds: Annotated[int, Field(ge=0, le=30)] = Field(
        default=0,
        description="Time in seconds after SIGTERM in which `/readyz` says no and all else goes on, so that a balancer "
        "sends elsewhere before the drain begins.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines to write: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["json", "text"] = Field(
        default="text", description="Form of the log lines on standard error: `text` for people, `json` for machines."
    )
    operation_log: Literal["off", "errors", "slow", "all"] = Field(
        default="slow",
        description="Operations that get a line in the log: none (`off`), those with a top-level error (`errors`), "
        "these and the slow ones (`slow`), or `all`, with the start of each watch.",
    )
    slow_operation_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Time in seconds from which an operation counts as slow."
    )
    traces: bool = Field(
        default=False,
        description="Whether spans are sent by OTLP over HTTP; it needs the extra `otel`, and the variables `OTEL_...` "
        "say where to.",
    )

    @field_validator("auth_secret", "auth_previous_secret")
    @classmethod
    def _secret_is_long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes; make one with: openssl rand -hex 32")
        return secret

    @field_validator("auth_jwks_url")
    @classmethod
    def _keys_come_over_a_safe_line(cls, url: str | None) -> str | None:
        return None if url is None else setting_values.safe_url_of_keys(url)

    @field_validator("auth_jwks_algorithms")
    @classmethod
    def _algorithms_are_known(cls, words: str) -> str:
        return setting_values.asymmetric_algorithms(words)

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_as_browsers_send_them(cls, listed: str | None) -> str | None:
        return None if listed is None else setting_values.origins(listed)

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, listed: str | None) -> str | None:
        return None if listed is None else setting_values.networks(listed)

    @field_validator("tenant_id_pattern")
    @classmethod
    def _pattern_is_apart_from_uuids(cls, pattern: str) -> str:
        return setting_values.apart_from_uuids(pattern)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment. What is wrong there ends in a SetupError that names the variable."""
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
        if unknown:
            raise SetupError(f"Unknown setting {', '.join(unknown)}. The README lists the settings.")
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            raise SetupError(_first_sentence(error)) from error


def _first_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
    reason = str(first["msg"]).removeprefix("Value error, ")
    return f"{name}: {reason}."

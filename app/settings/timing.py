"""The watch, deadlines, and the end of the process."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

from app.settings import values


class TimingSettings(BaseSettings):
    """The watch, deadlines, and the end of the process."""

    bookmark_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15, description="Seconds without an item after which a watch sends a bookmark with its position."
    )
    poll_seconds: Annotated[float, Field(gt=0)] = Field(
        default=0.5, description="Seconds after which a committed change is noticed at the latest if its hint was lost."
    )
    feed_ring_size: Annotated[int, Field(ge=1)] = Field(
        default=10_000,
        description="Newest events that are kept in memory for the watches; older ones are read again.",
    )
    event_retention: Annotated[timedelta, BeforeValidator(values.duration), Field(gt=timedelta(0))] = Field(
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
        description="Seconds that a query may take from its admission to its response; then it is TIMEOUT, and no "
        "further step of it begins.",
    )
    mutation_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10,
        description="Seconds that a mutation may take from its admission to its response; a transaction that has "
        "begun by then is completed.",
    )
    watch_item_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10,
        description="Seconds that a watch may take to start, or to resolve the fields of one item; after that it is "
        "closed with 1013, and its client resumes from its cursor.",
    )
    stall_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30,
        description="Seconds after which a client that reads no byte of its responses is disconnected; a watch "
        "resumes from its cursor.",
    )
    keep_alive_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=75,
        description="Time in seconds that a connection stays open between two requests; keep it longer than the proxy "
        "before the gateway does, which would otherwise send a request just when the connection is closed.",
    )
    drain_seconds: Annotated[int, Field(ge=1, le=14)] = Field(
        default=10, description="Time in seconds that requests under way have to finish after SIGTERM."
    )
    drain_notice_seconds: Annotated[int, Field(ge=0, le=30)] = Field(
        default=0,
        description="Seconds after SIGTERM in which only `/readyz` fails, so that a load balancer sends requests "
        "elsewhere before the drain begins.",
    )

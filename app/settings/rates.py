"""Rate limits of callers and of their sockets."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class RateSettings(BaseSettings):
    """Rate limits of callers and of their sockets."""

    rate_per_tenant: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Cost that a tenant may spend a second, on average; 0 for no limit."
    )
    burst_per_tenant: Annotated[int, Field(ge=1)] = Field(
        default=100_000,
        description="Cost that a tenant may spend at once after a pause; an operation that costs more takes all of it.",
    )
    rate_per_address: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Cost that a client address may spend a second, on average, without a token or with an invalid "
        "one; 0 for no limit.",
    )
    burst_per_address: Annotated[int, Field(ge=1)] = Field(
        default=2_000, description="Cost that a client address may spend at once without a valid token."
    )
    max_messages_per_second: Annotated[int, Field(ge=10)] = Field(
        default=1_000,
        description="Messages that one WebSocket may send a second, pings and pongs among them, and twice as many at "
        "once; with more it is closed with 4429.",
    )
    max_frame_bytes: Annotated[int, Field(ge=1_000)] = Field(
        default=65_536,
        description="Largest message over WebSocket in bytes, all its frames together; with a larger one it is closed "
        "with 1009.",
    )
    connection_init_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10, description="Time in seconds that a WebSocket client has to send `connection_init`."
    )

"""Where the store is, and where the gateway listens."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings


class ServingSettings(BaseSettings):
    """Where the store is, and where the gateway listens."""

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

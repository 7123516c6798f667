"""Settings for front ends: pages, origins, trusted documents."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from app.settings import values


class FrontEndSettings(BaseSettings):
    """Settings for front ends: pages, origins, trusted documents."""

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
        description="Whether documents outside the manifest are executed: `optional` if they are, `only` if not.",
    )
    documents_max_age_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0,
        description="Seconds for which a browser may reuse its response to a persisted query sent by GET; with 0 it "
        "has to revalidate it each time.",
    )
    automatic_documents_bytes: Annotated[int, Field(ge=0)] = Field(
        default=8_000_000,
        description="Memory in bytes for documents that clients persist by themselves; 0 switches that off.",
    )

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_as_browsers_send_them(cls, listed: str | None) -> str | None:
        return None if listed is None else values.origins(listed)

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, listed: str | None) -> str | None:
        return None if listed is None else values.networks(listed)

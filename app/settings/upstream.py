"""The cloud that the gateway stands in front of, if any."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from app.settings import values

PROJECT_ID = "[0-9a-f]{32}"


class UpstreamSettings(BaseSettings):
    """The cloud that the gateway stands in front of, if any."""

    upstream: Literal["glance"] | None = Field(
        default=None,
        description="`glance` puts the gateway in front of an OpenStack cloud: Keystone's tokens count, and Glance "
        "keeps the images. Unset, the gateway keeps them itself.",
    )
    upstream_keystone_url: str | None = Field(
        default=None, description="URL of Keystone's API, such as `https://keystone.example.org/v3`."
    )
    upstream_glance_url: str | None = Field(
        default=None, description="URL of Glance without a version, such as `https://glance.example.org`."
    )
    upstream_application_credential_id: str | None = Field(
        default=None, description="Application credential with which the gateway reads images and members."
    )
    upstream_application_credential_secret: SecretStr | None = Field(
        default=None, description="The secret of that application credential."
    )
    upstream_username: str | None = Field(
        default=None, description="User that reads images and members, where there is no application credential."
    )
    upstream_password: SecretStr | None = Field(default=None, description="The password of that user.")
    upstream_project: str | None = Field(default=None, description="The name of the project that its token is for.")
    upstream_domain: str = Field(default="Default", description="The name of the domain of that user and project.")
    upstream_read_access: Literal["cloud", "projects"] = Field(
        default="cloud",
        description="How the gateway reads: `cloud` if Glance's policy shows its user all images, `projects` if its "
        "user has the role `reader` in each project, inherited from the domain; then it needs no project of its own.",
    )
    upstream_roles: str = Field(
        default="reader=observer member=observer,creator,admin manager=observer,creator,admin "
        "admin=observer,creator,admin,operator",
        description="Roles of the gateway for each role of Keystone: words such as `member=creator,admin`.",
    )
    upstream_seconds: Annotated[float, Field(gt=0)] = Field(
        default=8, description="Time in seconds that Keystone or Glance may take for one call."
    )
    upstream_token_cache_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=60,
        description="Seconds for which a token that Keystone has validated is accepted without validating it again, "
        "even if it was revoked.",
    )

    upstream_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        default=2, description="Seconds between two polls of Glance for changed images."
    )

    upstream_stale_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30,
        description="Seconds since the last successful poll from which responses and `/readyz` report that the mirror "
        "is out of date.",
    )

    upstream_sweep_rate: Annotated[float, Field(ge=0, le=1_000)] = Field(
        default=20,
        description="Images that are read again each second, to find changes of members that Glance does not announce; "
        "those with members first. 0 for none.",
    )

    upstream_bus_url: SecretStr | None = Field(
        default=None,
        description="URL of the RabbitMQ that Glance sends its notifications to, such as "
        "`amqps://user:password@rabbitmq.example.org/`; it needs the extra `notifications`. With it, changes by others "
        "appear within moments.",
    )
    upstream_bus_queue: str = Field(
        default="image-gateway", description="Name of the gateway's own, durable queue in that RabbitMQ."
    )

    @field_validator("upstream_keystone_url", "upstream_glance_url")
    @classmethod
    def _url_is_safe(cls, url: str | None) -> str | None:
        return None if url is None else values.safe_url_of_keys(url)

    @model_validator(mode="before")
    @classmethod
    def _tenants_are_projects(cls, data: Any) -> Any:
        """Default to project IDs as tenant IDs in front of Keystone."""
        fields = cast(dict[str, Any], data)
        if fields.get("upstream") == "glance" and "tenant_id_pattern" not in fields:
            return {**fields, "tenant_id_pattern": PROJECT_ID}
        return fields

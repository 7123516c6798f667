"""The gateway in front of a cloud."""

from typing import Any

from pydantic import SecretStr

from app.settings import Settings
from app.upstream.opening import Upstream, open_upstream
from tests.cloud.cloud import Cloud
from tests.harness.gateway import settings_for


def settings_before(cloud: Cloud, database_url: str, **changes: Any) -> Settings:
    """The settings of a gateway in front of this cloud."""
    given: dict[str, Any] = {
        "auth_secret": None,
        "upstream": "glance",
        "upstream_keystone_url": cloud.keystone_url,
        "upstream_glance_url": cloud.glance_url,
        "upstream_username": "observer",
        "upstream_password": SecretStr("observer-secret"),
        "upstream_project": "service",
        # A slow machine may need long for what is no test of deadlines.
        "upstream_seconds": 60,
        "mutation_seconds": 100,
        "query_seconds": 60,
    }
    return settings_for(database_url, **{**given, **changes})


def upstream_of(cloud: Cloud, **changes: Any) -> Upstream:
    opened = open_upstream(settings_before(cloud, "sqlite+aiosqlite:///:memory:", **changes))
    assert opened is not None
    return opened

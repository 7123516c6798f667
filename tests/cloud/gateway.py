"""The gateway in front of a cloud."""

from typing import Any

from app.settings import Settings
from app.upstream.opening import Upstream, open_upstream
from tests.cloud.cloud import Cloud
from tests.harness.gateway import settings_for


def front_settings(cloud: Cloud) -> dict[str, Any]:
    """What makes a gateway one in front of this cloud: arguments of Settings, or of a server's environment."""
    return {
        "auth_secret": None,
        "upstream": "glance",
        "upstream_keystone_url": cloud.keystone_url,
        "upstream_glance_url": cloud.glance_url,
        "upstream_username": "observer",
        "upstream_password": "observer-secret",
        "upstream_project": "service",
        # A slow machine may need long for what is no test of deadlines.
        "upstream_seconds": 60,
        "mutation_seconds": 100,
        "query_seconds": 60,
    }


def settings_before(cloud: Cloud, database_url: str, **changes: Any) -> Settings:
    """The settings of a gateway in front of this cloud."""
    return settings_for(database_url, **{**front_settings(cloud), **changes})


def upstream_of(cloud: Cloud, **changes: Any) -> Upstream:
    opened = open_upstream(settings_before(cloud, "sqlite+aiosqlite:///:memory:", **changes))
    assert opened is not None
    return opened


def end_token(credential: Any) -> None:
    """Replace the gateway's token by one that Keystone does not know, as if it had ended before its time."""
    credential._issued = credential._issued._replace(id="not good any more")

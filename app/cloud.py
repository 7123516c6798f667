"""Connects the gateway with the cloud that it stands in front of, if there is one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.background import Component
from app.mirror.bus import BusListener
from app.mirror.front import Front
from app.mirror.look import Mirror
from app.mirror.owners import KnownOwners
from app.mirror.worker import MirrorWorker
from app.settings import Settings
from app.store.database import Store
from app.web.callers.identity import IdentityProvider
from app.web.callers.keystone_tokens import KeystoneTokens
from app.web.callers.tokens import Tokens
from app.web.monitoring.cloud import CloudSources

if TYPE_CHECKING:
    from app.upstream.opening import Upstream as Cloud


def open_cloud(settings: Settings) -> "Cloud | None":
    """The cloud that the gateway stands in front of, if the settings name one. Raises SetupError."""
    if settings.upstream is None:
        return None
    # The HTTP client is imported only where it is used.
    from app.upstream.opening import open_upstream

    return open_upstream(settings)


def open_identities(settings: Settings, cloud: "Cloud | None") -> IdentityProvider:
    if cloud is None:
        return Tokens(settings)
    return KeystoneTokens(cloud.authority, settings.upstream_token_cache_seconds)


def open_front(cloud: "Cloud", store: Store, settings: Settings) -> Front:
    return Front(cloud.glance, cloud.authority, open_mirror(cloud, store, settings), settings.upstream_seconds)


def open_mirror(cloud: "Cloud", store: Store, settings: Settings) -> Mirror:
    is_whole = settings.upstream_read_access == "cloud"
    return Mirror(store, cloud.glance if is_whole else KnownOwners(store, cloud.glance))


def cloud_sources(cloud: "Cloud", mirror: Mirror) -> CloudSources:
    return CloudSources(mirror, {name: service.durations for name, service in cloud.services.items()})


def mirror_components(cloud: "Cloud | None", mirror: Mirror | None, settings: Settings) -> Iterator[Component]:
    """The background work that keeps the mirror of a cloud up to date."""
    if cloud is None or mirror is None:
        return
    poll_seconds, sweep_rate = settings.upstream_poll_seconds, settings.upstream_sweep_rate
    worker = MirrorWorker(mirror, cloud.glance, poll_seconds, sweep_rate)
    yield worker
    if settings.upstream_bus_url is not None:
        # An extra, imported only where it is used.
        from app.upstream.notifications import Notifications

        notifications = Notifications(settings.upstream_bus_url.get_secret_value(), settings.upstream_bus_queue)
        yield BusListener(mirror, notifications, worker.catch_up)

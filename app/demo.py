"""The data of `serve --demo`: three tenants, images of both origins, and offers in each status."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from app.errors import SetupError
from app.model import Caller, ImageOrigin, ImageStatus, ImageVisibility, MemberStatus, OsType, Role
from app.settings import Settings
from app.sharing import service
from app.sharing.ledger import Ledger
from app.sharing.outcome import Outcome
from app.store import images
from app.store.database import Store
from app.store.images import ImageFilter
from app.store.snapshot import read_once
from app.web.callers.identity import SharedSecret

PRODUCER, CONSUMER, PARTNER = "1001", "2002", "3003"
TENANTS = {
    PRODUCER: "builds images and offers them",
    CONSUMER: "has an offer in each status",
    PARTNER: "builds images too",
}
TOKEN_TTL = timedelta(hours=12)
GIB = 2**30

_DEBIAN: dict[str, Any] = {
    "name": "debian-13-hardened",
    "origin": ImageOrigin.IMPORT,
    "source_url": "https://images.example.org/debian/13/debian-13-hardened-amd64.qcow2",
    "size_bytes": 3 * GIB,
    "min_disk_gb": 10,
    "min_ram_mb": 1024,
    "os_type": OsType.LINUX,
    "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "tags": ["debian", "cis-benchmark"],
}
_POSTGRES: dict[str, Any] = {
    "name": "postgres-18-replica",
    "origin": ImageOrigin.SNAPSHOT,
    "server_id": "srv-db-replica-02",
    "size_bytes": 41 * GIB,
    "min_disk_gb": 80,
    "min_ram_mb": 8192,
    "os_type": OsType.LINUX,
    "tags": ["database", "nightly"],
}
_WINDOWS: dict[str, Any] = {
    "name": "windows-server-2025-ci",
    "origin": ImageOrigin.SNAPSHOT,
    "server_id": "srv-ci-template-7",
    "size_bytes": 28 * GIB,
    "min_disk_gb": 60,
    "min_ram_mb": 4096,
    "os_type": OsType.WINDOWS,
    "tags": ["ci"],
}
_GPU: dict[str, Any] = {
    "name": "cuda-13-training",
    "origin": ImageOrigin.IMPORT,
    "source_url": "https://images.example.org/gpu/cuda-13-training.raw",
    "size_bytes": 62 * GIB,
    "min_disk_gb": 120,
    "min_ram_mb": 32768,
    "os_type": OsType.LINUX,
    "tags": ["gpu", "ml"],
    "protected": True,
}
_DRAFT: dict[str, Any] = {
    "name": "edge-router-draft",
    "origin": ImageOrigin.IMPORT,
    "source_url": "https://images.example.org/edge/router-draft.img",
    "status": ImageStatus.QUEUED,
    "visibility": ImageVisibility.PRIVATE,
}


def with_own_secret(settings: Settings) -> Settings:
    """Give the demo a random secret, so that its tokens are valid nowhere else.

    Tokens signed with the secret of the settings are still accepted; the reverse would be a security hole.
    """
    own = SecretStr(secrets.token_hex(32))
    return settings.model_copy(update={"auth_secret": own, "auth_previous_secret": settings.auth_secret})


async def seed(store: Store, settings: Settings) -> None:
    """Fill an empty store, by the actions that callers use. A store that was seeded before stays as it is."""
    producer, consumer, partner = (_admin(tenant_id) for tenant_id in TENANTS)
    if await _is_seeded(store, producer):
        return
    ledger = Ledger(store)
    debian = await _register(ledger, producer, _DEBIAN)
    postgres = await _register(ledger, producer, _POSTGRES)
    windows = await _register(ledger, producer, _WINDOWS)
    await _register(ledger, producer, _DRAFT)
    gpu = await _register(ledger, partner, _GPU)
    limits = service.SharingLimits.of(settings)
    await service.offer_image(ledger, producer, debian, [CONSUMER, PARTNER], limits)
    await service.offer_image(ledger, producer, postgres, [CONSUMER], limits)
    await service.offer_image(ledger, producer, windows, [CONSUMER], limits)
    await service.offer_image(ledger, partner, gpu, [PRODUCER, CONSUMER], limits)
    await service.answer_offer(ledger, consumer, postgres, MemberStatus.ACCEPTED)
    await service.answer_offer(ledger, consumer, windows, MemberStatus.REJECTED)
    await service.answer_offer(ledger, partner, debian, MemberStatus.ACCEPTED)


def greeting(secret: SharedSecret) -> Iterator[str]:
    """A token for each tenant, ready to paste."""
    yield ""
    yield f"Three demo tenants, each with the role admin; the tokens are valid for {TOKEN_TTL.seconds // 3600} hours:"
    for tenant_id, story in TENANTS.items():
        token = secret.mint(tenant_id, frozenset({Role.ADMIN}), TOKEN_TTL, f"demo-{tenant_id}")
        yield f"\nTenant {tenant_id} {story}:\n{token}"
    yield ""


async def _is_seeded(store: Store, producer: Caller) -> bool:
    """Whether the store holds the demo. Raises SetupError if it holds other images."""
    operator = Caller(PRODUCER, frozenset({Role.OPERATOR}), producer.expires_at)
    everything = await read_once(store, images.count_list, operator, ImageFilter())
    ours = await read_once(store, images.count_list, producer, ImageFilter(owner_id=PRODUCER))
    if everything and not ours:
        raise SetupError("The demo needs an empty store, and this one holds images. Choose another --database.")
    return ours > 0


async def _register(ledger: Ledger, caller: Caller, facts: dict[str, Any]) -> str:
    outcome: Outcome = await service.register_image(ledger, caller, facts)
    assert outcome.image is not None, outcome.refusals
    return outcome.image.id


def _admin(tenant_id: str) -> Caller:
    return Caller(tenant_id, frozenset({Role.ADMIN}), datetime.now(UTC) + TOKEN_TTL, f"demo-{tenant_id}")

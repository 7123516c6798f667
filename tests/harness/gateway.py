"""The gateway in this process: the real schema, rules, store and feed, called without a transport."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from app.api.operation import faults
from app.api.operation.context import Context, Services
from app.api.schema import GatewaySchema
from app.api.watch.operation import WatchFailed
from app.main import create_app
from app.model import Caller, Role
from app.parts import Parts
from app.settings import Settings
from tests.harness import operations
from tests.harness.waiting import PATIENCE_SECONDS, wait_until

SECRET = "a secret of the tests, which is long enough"
IMAGE: dict[str, Any] = {"name": "ubuntu", "origin": "IMPORT", "sourceUrl": "https://images.example.org/ubuntu.img"}


def settings_for(database_url: str, **changes: Any) -> Settings:
    # Tests that are not about deadlines must pass on a slow machine too.
    deadlines = {"parse_seconds": 30, "validation_seconds": 30}
    defaults: dict[str, Any] = {
        "auth_secret": SecretStr(SECRET),
        "bookmark_seconds": 60,
        "poll_seconds": 0.2,
        **deadlines,
    }
    return Settings(database_url=database_url, **{**defaults, **changes})


@dataclass
class Result:
    """The result of one operation as a client receives it."""

    data: Any
    errors: list[dict[str, Any]]

    @property
    def code(self) -> str | None:
        return self.errors[0]["extensions"]["code"] if self.errors else None


class Gateway:
    """A running gateway, and a source of callers."""

    def __init__(self, services: Services, schema: GatewaySchema) -> None:
        self.services = services
        self.schema = schema

    def tenant(self, tenant_id: str, *roles: str) -> "Tenant":
        """A caller of this tenant with these roles; an admin by default."""
        expires_at = datetime.now(UTC) + timedelta(hours=1)
        parsed = frozenset(Role(role) for role in roles or ("admin",))
        return Tenant(self, Caller(tenant_id, parsed, expires_at))

    @property
    def anonymous(self) -> "Tenant":
        """A caller without a token."""
        return Tenant(self, None)


class Tenant:
    """A caller of the gateway, who executes operations with its own rights."""

    def __init__(self, gateway: Gateway, caller: Caller | None) -> None:
        self._gateway = gateway
        self.caller = caller

    @property
    def id(self) -> str:
        assert self.caller is not None
        return self.caller.tenant_id

    async def execute(self, operation: str, **variables: Any) -> Result:
        context = Context(self._gateway.services, self.caller, "test")
        try:
            result = await self._gateway.schema.execute(operation, variables, context)
            errors = faults.format_errors(faults.client_errors(result, "test"))
            return Result(result.data, errors)
        finally:
            await context.close()

    async def get(self, operation: str, **variables: Any) -> Any:
        """The data of an operation that has no errors."""
        result = await self.execute(operation, **variables)
        assert not result.errors, result.errors
        return result.data

    async def do(self, mutation: str, **input: Any) -> Any:
        """The payload of one of `operations.MUTATIONS`."""
        return (await self.get(operations.MUTATIONS[mutation], input=input))[mutation]

    async def register(self, **changes: Any) -> str:
        """Register an image and return its ID."""
        payload = await self.do("registerImage", **{**IMAGE, **changes})
        assert not payload["errors"], payload
        return payload["image"]["id"]

    async def offer(self, image_id: str, *tenant_ids: str) -> Any:
        return await self.do("offerImage", imageId=image_id, tenantIds=list(tenant_ids))

    async def accept(self, image_id: str) -> Any:
        return await self.do("acceptOffer", imageId=image_id)

    async def reject(self, image_id: str) -> Any:
        return await self.do("rejectOffer", imageId=image_id)

    async def defer(self, image_id: str) -> Any:
        return await self.do("deferOffer", imageId=image_id)

    async def revoke(self, image_id: str, tenant_id: str) -> Any:
        return await self.do("revokeMember", imageId=image_id, tenantId=tenant_id)

    async def update(self, image_id: str, **changes: Any) -> Any:
        return await self.do("updateImage", id=image_id, **changes)

    async def delete(self, image_id: str) -> Any:
        return await self.do("deleteImage", id=image_id)

    async def wait_for_feed(self) -> None:
        """Wait until the feed has read everything committed so far."""
        feed = self._gateway.services.feed
        head = (await feed.head()).seq
        await wait_until(lambda: feed._ring.top >= head)

    @asynccontextmanager
    async def watch(self, **variables: Any) -> AsyncGenerator[AsyncGenerator[Any]]:
        """Watch, by default `watchOffers`, and iterate over the items."""
        context = Context(self._gateway.services, self.caller, "test")
        query = variables.pop("query", operations.WATCH)
        results = self._gateway.schema.streams.run(query, variables, None, context)
        try:
            async with aclosing(_items(results)) as items:
                yield items
        finally:
            await context.close()


async def _items(results: Any) -> AsyncGenerator[Any]:
    async with aclosing(results):
        while (payload := await _next_result(results)) is not None:
            result = json.loads(payload)
            assert "errors" not in result, result
            [item] = result["data"].values()
            assert result["extensions"]["cursor"] == item["cursor"]
            yield item


async def _next_result(results: Any) -> Any:
    """The next result, or None at the end. Raises TimeoutError if there is none in time."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(results, None)
    except WatchFailed as failure:
        [error] = faults.format_errors(failure.errors)
        raise WatchRefused(error["extensions"]["code"], error["message"], error["extensions"]) from None


class WatchRefused(Exception):
    """The watch ended with an error."""

    @property
    def code(self) -> str:
        return self.args[0]


def refusal_code(payload: Any) -> str:
    """The code of a mutation's only error, or "ok"."""
    codes = [error["code"] for error in payload["errors"]]
    assert len(codes) <= 1, codes
    return codes[0] if codes else "ok"


@asynccontextmanager
async def start_gateway(settings: Settings) -> AsyncGenerator[Gateway]:
    """Run the gateway on a migrated database until the block ends."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        parts: Parts = app.state.parts
        yield Gateway(parts.services, parts.pipeline.schema)

"""Who gets which answer, tried on a gateway: every operation by every kind of caller, in every state."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from tests.harness.gateway import Tenant, refusal_code

# The callers of the table, by the names of the users; the last three of the consumer are by its status.
CALLERS = {
    "owner": "producer",
    "observer": "producer-reader",
    "stranger": "stranger",
    "pending": "consumer",
    "accepted": "consumer",
    "rejected": "consumer",
    "member": "second",
    "operator": "admin",
}
UNKNOWN = "f" * 32
QUOTA = 128
READ = (
    "query($id: ID!) { image(id: $id) { members { nodes { id } } } images(first: 100) { nodes { id } } "
    "offers(status: [PENDING, ACCEPTED, REJECTED], first: 100) { nodes { image { id } } } }"
)
NODE = "query($id: ID!) { node(id: $id) { id } }"
SENT = "query($id: ID!) { sentOffers(imageId: $id, first: 100) { nodes { id tenant { id } } } }"
WATCHED = (
    "subscription($filter: OfferWatchFilter) { watchOffers(filter: $filter, initial: SNAPSHOT) { __typename cursor } }"
)


class World(Protocol):
    """A gateway, and the images that it is about."""

    async def user(self, name: str) -> Tenant: ...

    async def shared_image(self) -> str:
        """A new, shared image of the producer, which the gateway knows."""
        ...

    async def fill(self, image_id: str) -> None:
        """Let the image have as many members as its quota allows."""
        ...


Answers = dict[tuple[str, str], str]
Act = Callable[[World, Tenant, str], Awaitable[Any]]


async def _offer_privately(world: World, user: Tenant, image_id: str) -> Any:
    return await _while_private(world, image_id, user.offer(image_id, UNKNOWN))


async def _offer_too_much(world: World, user: Tenant, image_id: str) -> Any:
    await world.fill(image_id)
    return await user.offer(image_id, UNKNOWN)


async def _offer_to_consumer(world: World, user: Tenant, image_id: str) -> Any:
    return await user.offer(image_id, (await world.user("consumer")).id)


async def _revoke(world: World, user: Tenant, image_id: str) -> Any:
    return await user.revoke(image_id, (await world.user("consumer")).id)


async def _revoke_inert(world: World, user: Tenant, image_id: str) -> Any:
    return await _while_private(world, image_id, _revoke(world, user, image_id))


async def _while_private(world: World, image_id: str, call: Awaitable[Any]) -> Any:
    owner = await world.user("producer")
    await owner.update(image_id, visibility="PRIVATE")
    try:
        return await call
    finally:
        await owner.update(image_id, visibility="SHARED")


CHANGES: Mapping[str, Act] = {
    "offer to an unknown tenant": lambda _, user, image_id: user.offer(image_id, UNKNOWN),
    "offer to a tenant that has a row": _offer_to_consumer,
    "offer to oneself": lambda _, user, image_id: user.offer(image_id, user.id),
    "offer of a private image": _offer_privately,
    "accept": lambda _, user, image_id: user.accept(image_id),
    "reject": lambda _, user, image_id: user.reject(image_id),
    "defer": lambda _, user, image_id: user.defer(image_id),
    "revoke": _revoke,
    "revoke, image private": _revoke_inert,
    "change": lambda _, user, image_id: user.update(image_id, name="renamed"),
    "offer over the quota": _offer_too_much,
    "delete": lambda _, user, image_id: user.delete(image_id),
}
# What changes the consumer's row where it succeeds.
LASTING = {"accept", "reject", "defer", "revoke", "revoke, image private"}


async def answers(world: World) -> Answers:
    """What each caller is answered to each operation."""
    found: Answers = {}
    for column, name in CALLERS.items():
        image_id, user = await _offered(world, column), await world.user(name)
        found.update({(row, column): answer for row, answer in (await _reads(world, user, image_id)).items()})
        for row, act in CHANGES.items():
            answer = found[row, column] = refusal_code(await act(world, user, image_id))
            if answer == "ok" and row in LASTING:
                image_id = await _offered(world, column)
    return found


async def _offered(world: World, column: str) -> str:
    """A new image with two members: the second tenant, which has accepted, and the consumer."""
    image_id, consumer, second = await world.shared_image(), await world.user("consumer"), await world.user("second")
    await (await world.user("producer")).offer(image_id, consumer.id, second.id)
    await second.accept(image_id)
    if column in ("accepted", "rejected"):
        await (consumer.accept if column == "accepted" else consumer.reject)(image_id)
    return image_id


async def _reads(world: World, user: Tenant, image_id: str) -> dict[str, str]:
    producer, consumer = await world.user("producer"), await world.user("consumer")
    sent = (await producer.get(SENT, id=image_id))["sentOffers"]["nodes"]
    [row] = [member["id"] for member in sent if member["tenant"]["id"] == consumer.id]
    data = await user.get(READ, id=image_id)
    image = data["image"]
    return {
        "image": "null" if image is None else "ok",
        "images": "in" if {"id": image_id} in data["images"]["nodes"] else "out",
        "offers": "in" if {"image": {"id": image_id}} in data["offers"]["nodes"] else "out",
        "members": "null" if image is None else str(len(image["members"]["nodes"])),
        "the consumer's row": "null" if (await user.get(NODE, id=row))["node"] is None else "ok",
        "watch": await _watched(user, image_id),
    }


async def _watched(user: Tenant, image_id: str) -> str:
    """The number of rows with which a watch of the image begins."""
    rows = 0
    async with user.watch(query=WATCHED, filter={"imageId": image_id}) as items:
        async for item in items:
            if item["__typename"] == "WatchSynced":
                return str(rows)
            rows += item["__typename"] == "MemberState"
    raise AssertionError("the watch ended")

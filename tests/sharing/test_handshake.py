"""The handshake as users see it."""

from tests.harness.gateway import Gateway
from tests.harness.operations import DEFAULT_IMAGES


async def test_a_producer_offers_a_consumer_accepts_and_both_watches_receive_it(gateway: Gateway) -> None:
    producer, consumer = gateway.tenant("1001"), gateway.tenant("2002")
    image = await producer.register()

    async with producer.watch() as producers, consumer.watch() as consumers:
        assert (await anext(producers))["__typename"] == (await anext(consumers))["__typename"] == "WatchBookmark"
        offered = await producer.offer(image, consumer.id)
        accepted = await consumer.accept(image)
        received = [[await anext(items) for _ in range(2)] for items in (producers, consumers)]

    assert (offered["errors"], accepted["errors"]) == ([], [])
    for items in received:
        assert [(item["kind"], item["previousStatus"], item["status"]) for item in items] == [
            ("OFFERED", None, "PENDING"),
            ("ANSWERED", "PENDING", "ACCEPTED"),
        ]
    assert [node["id"] for node in (await consumer.get(DEFAULT_IMAGES))["images"]["nodes"]] == [image]

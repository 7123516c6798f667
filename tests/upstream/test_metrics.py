"""What operators can see of the mirror, and of the calls to the cloud."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from app.mirror.bus import BusListener
from app.mirror.look import Mirror
from app.mirror.sweep import Sweep
from app.upstream.errors import Unanswered, Unreached
from tests.harness.dashboards import names_of_cloud, names_served
from tests.harness.waiting import wait_until
from tests.upstream.fake_cloud import IMAGE, Source, image
from tests.upstream.test_away import app as app  # a gateway before a cloud that is away
from tests.upstream.test_mirror import gateway as gateway
from tests.upstream.test_mirror import mirror as mirror
from tests.upstream.test_mirror import source as source


async def test_looks_are_counted_by_what_they_found(
    mirror: Mirror, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirror.look(IMAGE)
    await mirror.look(IMAGE)
    source.image = image(name="renamed")
    await mirror.look(IMAGE)

    async def fail(_: str) -> None:
        raise Unanswered("no answer")

    monkeypatch.setattr(source, "view", fail)
    with pytest.raises(Unanswered):
        await mirror.look(IMAGE)

    assert mirror.figures.looks == {"changed": 2, "unchanged": 1, "failed": 1}


async def test_the_sweep_says_how_far_it_has_come(mirror: Mirror) -> None:
    await mirror.look(IMAGE)
    sweep, progress = Sweep(mirror, 10), []
    while await sweep.look_at_next():
        progress.append(mirror.figures.sweep_progress)

    # It has no members, so that it is in the second half.
    assert progress == [pytest.approx(0.5 + int(IMAGE[:8], 16) / 16**8 / 2)]
    assert mirror.figures.sweep_rounds == 1


class Bus:
    """Sends one notification, and ends."""

    async def follow(self, on_connected: Callable[[], None], on_image: Any) -> None:
        on_connected()
        await on_image(IMAGE)
        raise Unreached("it is over")


async def test_the_bus_is_seen_to_come_and_go(mirror: Mirror) -> None:
    seen: list[bool | None] = []
    listener = BusListener(mirror, Bus(), lambda: seen.append(mirror.figures.is_bus_connected))
    await listener.start()
    await wait_until(lambda: mirror.figures.notifications > 0 and not mirror.figures.is_bus_connected)
    await listener.stop()

    assert seen[0] is True


async def test_every_figure_of_a_cloud_on_dashboard_and_alerts_is_served(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        parts = app.state.parts
        parts.mirror.figures.is_bus_connected, parts.mirror.figures.sweep_progress = True, 0.5
        await wait_until(lambda: bool(parts.cloud.services["keystone"].durations))
        response = await parts.metrics.respond(Request({"type": "http"}))
    told = bytes(response.body).decode()

    assert len(names_of_cloud()) > 5
    assert names_of_cloud() - names_served(told) == set()
    assert 'service="keystone",status="unreached"' in told

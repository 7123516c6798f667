"""Plants bugs in the watch to prove that the checker finds them."""

from typing import Any

import pytest

from app.api.watch import subscriptions
from app.api.watch.offers import OfferWatchFilter, watch_of_offers
from app.api.watch.run import Watch
from app.events.feed import Feed, Item
from app.events.ring import Ring
from app.store import log


def _without_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention goes unnoticed: dropped changes are skipped silently."""
    read = log.read_concerning

    async def blind(*args: Any) -> log.LogPage:
        head, changes = await read(*args)
        return log.LogPage(head._replace(floor=0), changes)

    monkeypatch.setattr(log, "read_concerning", blind)


def _without_catching_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that has fallen behind the ring receives only what is left in it."""

    def behind(self: Ring, position: int, at_most: int) -> Any:
        return [change for change in self._changes if change.seq > position] or None

    monkeypatch.setattr(Ring, "behind", behind)


def _bookmark_too_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bookmark is one position too far."""
    follow = Feed.follow

    async def eager(self: Feed, *args: Any) -> Any:
        async for item in follow(self, *args):
            yield Item(item.position + 1) if item.change is None and item.gap is None else item

    monkeypatch.setattr(Feed, "follow", eager)


def _resumes_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that resumes from a cursor skips the changes since then."""
    follow = Feed.follow

    def forgetful(self: Feed, viewer: Any, concerns: Any, position: int, silence: float, seal: Any) -> Any:
        return follow(self, viewer, concerns, self._ring.top, silence, seal)

    monkeypatch.setattr(Feed, "follow", forgetful)


def _ignores_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every viewer receives every change."""

    def for_all(viewer: Any, wanted: OfferWatchFilter) -> Watch:
        made = watch_of_offers(viewer, wanted)
        return Watch(
            made.fingerprint, lambda change: change.entry.kind is not None, made.show, made.states, made.show_state
        )

    monkeypatch.setattr(subscriptions, "watch_of_offers", for_all)


PLANTED_BUGS = {
    "without-floor": _without_floor,
    "without-catching-up": _without_catching_up,
    "bookmark-too-far": _bookmark_too_far,
    "resumes-from-now": _resumes_from_now,
    "deaf-to-rights": _ignores_rights,
}

"""Items that several watchers are shown: each is made once, since to seal its cursor is most of what it costs."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
KEPT = 4_096


class Shown:
    """The newest items, by what they are of and who is shown them."""

    def __init__(self) -> None:
        self._items: dict[Hashable, Any] = {}

    def item(self, key: Hashable, make: Callable[[], T]) -> T:
        """The item of the key, made if nobody has been shown it lately."""
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = make()
            if len(self._items) > KEPT:
                del self._items[next(iter(self._items))]
        return item

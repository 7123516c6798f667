"""What has been worked out for one document, the newest of it: one that comes in ever other shapes fills no memory."""

from typing import Any


def keep(kept: dict[tuple[Any, ...], Any], key: tuple[Any, ...], value: Any, at_most: int) -> None:
    kept[key] = value
    if len(kept) > at_most:
        del kept[next(iter(kept))]

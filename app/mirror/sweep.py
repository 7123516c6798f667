"""A look at every image in turn, for what nothing else has hinted at."""

from app.mirror.look import Mirror
from app.mirror.looks import look_at

LOOKS_AT_ONCE = 2
# Images of an import that are read in a second where there is no sweep.
IMPORT_RATE = 20.0
AT_ONCE = 100
LAST = "g"  # sorts after every UUID


class Sweep:
    """Looks at images at a steady rate: those of an import first, then those with members, then all of them.

    A burst would hold up the looks at what has really changed. An import is worked on from its end, because
    `image-gateway mirror` may work on it from its beginning.
    """

    def __init__(self, mirror: Mirror, rate: float) -> None:
        self._mirror = mirror
        self._rate = rate
        self.restart()

    def restart(self) -> None:
        """Begin a round."""
        self._after, self._before, self._is_second_half = "", LAST, False

    async def look_at_next(self) -> bool:
        """Look at the images of about one second. Returns False at the end of a round.

        Raises UpstreamError when none can be read, or Unavailable.
        """
        if await self._import():
            return True
        if not (self._rate and (found := await self._next(self._page(self._rate)))):
            self.restart()
            self._mirror.figures.sweep_rounds += 1
            return False
        self._after = found[-1]
        self._mirror.figures.sweep_progress = self._progress
        await look_at(self._mirror, found, LOOKS_AT_ONCE, self._rate)
        return True

    async def _import(self) -> bool:
        """Look at some images of an import, each once in a round. Returns False if there are none left."""
        rate = self._rate or IMPORT_RATE
        if not (found := await self._mirror.expected(self._before, self._page(rate))):
            return False
        self._before = found[-1]
        await look_at(self._mirror, found, LOOKS_AT_ONCE, rate)
        return True

    @property
    def _progress(self) -> float:
        """The share of the round that is done. The IDs are random, and so are evenly distributed."""
        share = int(self._after[:8] or "0", 16) / 16**8
        return (share + self._is_second_half) / 2

    async def _next(self, number: int) -> list[str]:
        if not self._is_second_half:
            if found := await self._mirror.with_members(self._after, number):
                return found
            self._after, self._is_second_half = "", True
        return [image_id for image_id, _ in await self._mirror.updates(self._after, number)]

    def _page(self, rate: float) -> int:
        return min(AT_ONCE, max(1, round(rate)))

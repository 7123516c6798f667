"""Logs which check of a token's claims has failed, for operators."""

from time import monotonic
from typing import Any

import structlog

from app.web.callers.claims import Mismatch

INTERVAL_SECONDS = 1.0
LONGEST_VALUE = 300
logger: Any = structlog.get_logger("tokens")


class RefusalLog:
    """Logs the expected and the found value of a failed check, at most once a second for each check."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def record(self, mismatch: Mismatch, issuer: str | None) -> None:
        check, now = mismatch.check, monotonic()
        if now - self._logged_at.get(check, float("-inf")) < INTERVAL_SECONDS:
            self._unlogged[check] = self._unlogged.get(check, 0) + 1
            return
        logger.info(
            "a token was refused",
            check=check,
            reason=str(mismatch.problem),
            expected=mismatch.expected[:LONGEST_VALUE],
            found=mismatch.found[:LONGEST_VALUE],
            issuer=issuer,
            unlogged=self._unlogged.pop(check, 0),
        )
        self._logged_at[check] = now

"""What one process does to keep the mirror up to date, in figures."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class MirrorFigures:
    """`looks` are by what they found: `changed`, `unchanged` or `failed`."""

    looks: Counter[str] = field(default_factory=Counter[str])
    notifications: int = 0
    # None where no bus is set.
    is_bus_connected: bool | None = None
    # How much of its round the sweep has done, from 0 to 1; None where only other processes have swept.
    sweep_progress: float | None = None
    sweep_rounds: int = 0

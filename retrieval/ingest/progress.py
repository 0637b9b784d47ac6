"""What a build tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a build.

    `parse`: `done` of `total` files are read. `embed`: `done` passages are embedded so far. `left_out`: a document is
    not indexed, and why. `unmatched`: a rule matches no file. `unchanged`: nothing had to be done. `publish`: `done`
    of `total` passages are in the engine.
    """

    step: Literal["parse", "embed", "left_out", "unmatched", "unchanged", "publish"]
    done: int
    total: int
    document: str = ""
    reason: str = ""


Report = Callable[[Progress], None]

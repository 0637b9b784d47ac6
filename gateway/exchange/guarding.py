"""What guards say of a text. Knows no guard."""

from typing import Any, Literal

from gateway.settings.guards import Where
from serving.frozen import dataclass

Ruling = Literal["pass", "flag", "redact", "block"]  # in rising order: the highest of several holds


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a text, from character `start` to before `end`: an `EMAIL`, a `JAILBREAK`. Never the text itself.

    `instead` stands in its place where it is redacted.
    """

    start: int
    end: int
    kind: str
    instead: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What one guard made of one kind of texts: how often each kind was found, `failed` where it gave no answer."""

    guard: str
    where: Where
    ruling: Ruling
    found: tuple[tuple[str, int], ...] = ()
    failed: str | None = None
    ms: float = 0.0

    def told(self) -> dict[str, Any]:
        """As clients, the trace and the journal have it."""
        told = {"guard": self.guard, "on": self.where, "verdict": self.ruling, "found": dict(self.found)}
        return told | ({"failed": self.failed} if self.failed else {})


@dataclass(frozen=True, slots=True)
class Guarded:
    """What all guards made of a request so far."""

    looked: tuple[Looked, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {"guards": [one.told() | {"ms": one.ms} for one in self.looked]}

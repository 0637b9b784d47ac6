"""What guards say of a text, and what becomes of it. Knows no guard."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from gateway.settings.guards import Where as Where
from serving.frozen import dataclass

Ruling = Literal["pass", "flag", "redact", "block"]  # in rising order: the highest of several holds
_RISING: tuple[Ruling, ...] = get_args(Ruling)


def highest(rulings: Iterable[Ruling]) -> Ruling:
    """The one that holds of several; `pass` of none."""
    return max(rulings, key=_RISING.index, default="pass")


def lower(one: Ruling, other: Ruling) -> Ruling:
    return min(one, other, key=_RISING.index)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a text, from character `start` to before `end`: an `EMAIL`, a `JAILBREAK`. Never the text itself.

    `instead` stands in its place where it is redacted. `ruling`: of a guard, the most that it wants to become of it
    (nearly always all that the settings allow); once they were asked, what becomes of it.
    """

    start: int
    end: int
    kind: str
    instead: str
    ruling: Ruling = "block"


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
    """What all guards made of some texts of a request."""

    looked: tuple[Looked, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {"guards": [one.told() | {"ms": one.ms} for one in self.looked]}


def summed(looks: Iterable[Mapping[str, Any]]) -> tuple[Looked, ...]:
    """What `facts` say of several looks, one for each guard and kind of texts: an answer may take several attempts."""
    sums: dict[tuple[str, Where], Looked] = {}
    for look in looks:
        key = look["guard"], look["on"]
        known = sums.get(key, Looked(*key, "pass"))
        sums[key] = Looked(
            *key,
            highest((known.ruling, look["verdict"])),
            tuple(sorted((Counter(dict(known.found)) + Counter(look["found"])).items())),
            look.get("failed", known.failed),
            round(known.ms + look["ms"], 3),
        )
    return tuple(sums.values())

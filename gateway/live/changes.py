"""What a reload changes, and what only a restart can. Pure.

The sections that cannot change are what the process itself stands on: its socket, its state, its telemetry, and the
memory of the cache. Everything else is made anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.settings import Settings
from prompts.library import Library

FIXED = ("server", "state", "telemetry")
FIXED_OF_CACHE = ("max_entries", "max_partitions", "learn")  # the store's bound, and what is in memory


@dataclass(frozen=True, slots=True)
class Changes:
    """Sections of the settings by name; prompts by what became of them: `added`, `changed`, `removed`."""

    settings: tuple[str, ...] = ()
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.settings or any(self.prompts.values()))

    def told(self) -> dict[str, Any]:
        return {"settings": self.settings, "prompts": dict(self.prompts)}


def fixed(before: Settings, after: Settings) -> Iterator[str]:
    """A line for each change that needs a restart."""
    for name in FIXED:
        yield from _moved(name, getattr(before, name), getattr(after, name))
    for key in FIXED_OF_CACHE:
        if getattr(before.cache, key) != getattr(after.cache, key):
            yield f"[cache] {key} has changed, which needs a restart"


def _moved(section: str, before: Any, after: Any) -> Iterator[str]:
    for key in type(before).model_fields:
        if getattr(before, key) != getattr(after, key):
            yield f"[{section}] {key} has changed, which needs a restart"


def changes(before: Settings, after: Settings, old: Library, new: Library) -> Changes:
    """What is different."""
    sections = tuple(name for name in Settings.model_fields if getattr(before, name) != getattr(after, name))
    return Changes(sections, _prompts(old, new))


def _prompts(old: Library, new: Library) -> dict[str, tuple[str, ...]]:
    if old is new:
        return {}
    one, two = ({id: library.get(id).digest for id in library.ids()} for library in (old, new))
    both = sorted(one.keys() & two.keys())
    return {
        "added": tuple(sorted(two.keys() - one.keys())),
        "changed": tuple(id for id in both if one[id] != two[id]),
        "removed": tuple(sorted(one.keys() - two.keys())),
    }

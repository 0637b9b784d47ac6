"""Golden renders: what the cases of a template become, kept beside it as `<id>.golden.json` and reviewed with it.

A template that renders otherwise than its golden file has changed what models read, which a review must see.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.workbench.cases import CasesError

SUFFIX = ".golden.json"
SHOWN = 12  # lines of a difference that are told: enough to see which change it is

Renders = Mapping[str, Sequence[Mapping[str, Any]]]  # messages by the name of their case


def read(name: str, data: bytes | None) -> Renders | None:
    """What was kept, None where there is no file. Raises CasesError."""
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CasesError(f"{name} is no file of golden renders: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(one, list) for one in found.values()):
        raise CasesError(f"{name} is no file of golden renders: it has no messages by the name of their case")
    return found


def written(renders: Renders) -> bytes:
    """The bytes of such a file."""
    return (json.dumps(renders, ensure_ascii=False, indent=1) + "\n").encode()


def changes(kept: Renders, renders: Renders) -> dict[str, str]:
    """By the name of each case that renders otherwise than what was kept, or that only one side has: what differs."""
    names = sorted(name for name in kept.keys() | renders.keys() if kept.get(name) != renders.get(name))
    return {name: _difference(kept.get(name), renders.get(name)) for name in names}


def _difference(before: Sequence[Mapping[str, Any]] | None, now: Sequence[Mapping[str, Any]] | None) -> str:
    if before is None:
        return "the golden file does not have it"
    if now is None:
        return "only the golden file has it"
    found = list(difflib.unified_diff(_lines(before), _lines(now), "golden", "now", lineterm="", n=0))[2:]
    more = [f"and {len(found) - SHOWN} lines more"] if len(found) > SHOWN else []
    return "\n".join(["it renders otherwise than its golden file", *found[:SHOWN], *more])


def _lines(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """As `tollgate prompts render` prints them."""
    return [line for one in messages for line in (f"--- {one.get('role')}", *str(one.get("content")).splitlines())]

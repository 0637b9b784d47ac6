"""Golden renders: what the cases of a template become, kept beside it as `<id>.golden.json` and reviewed with it.

A template that renders otherwise than its golden file has changed what models read, which a review must see.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.workbench.cases import CasesError

SUFFIX = ".golden.json"

Renders = Mapping[str, Sequence[Mapping[str, Any]]]  # messages by the name of their case


def read(file: Path) -> Renders | None:
    """What was kept, None where nothing was. Raises CasesError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CasesError(f"{file} is no file of golden renders: {error}") from error
    if not isinstance(found, dict):
        raise CasesError(f"{file} is no file of golden renders: it has no cases")
    return found


def write(file: Path, renders: Renders) -> None:
    """Raises OSError."""
    file.write_text(json.dumps(renders, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def changed(kept: Renders, renders: Renders) -> list[str]:
    """The names of the cases that render otherwise than what was kept, or on one side only."""
    return sorted(name for name in kept.keys() | renders.keys() if kept.get(name) != renders.get(name))

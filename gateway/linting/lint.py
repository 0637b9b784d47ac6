"""What the engine makes of a JSON Schema, before it is asked: refused, not enforced, over-constrained, unwise.

The rules are those of vLLM 0.32 with xgrammar 0.2.8 (serving/launch.py pins it), each seen on that version: see
docs/structured-output-engine.md. Another version is seen by running the proof (tests/proofs/test_schemas_on_engine.py).
Says nothing about whether the schema is one at all: `gateway.schemas` does. Never raises for what is no schema.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.linting.breaking import breaking
from gateway.linting.ignored import ignored
from gateway.linting.note import Note
from gateway.linting.refused import refused
from gateway.linting.shaped import advice

MAX_NOTES = 200  # of a schema: more are not read, and a hostile one of 64 KiB could make thousands
KEPT = 256  # schemas whose notes are kept: as many as validators (gateway.schemas.KEPT)


def lint(schema: Mapping[str, Any]) -> list[Note]:
    """What is to be said of this schema: errors first, then warnings, then advice; each thing once."""
    errors = [*refused(schema)]
    if not errors and (fault := breaking(schema)):
        errors.append(Note("error", "", "", fault))
    found = dict.fromkeys((*errors, *ignored(schema), *advice(schema)))
    ordered = sorted(found, key=lambda note: ("error", "warning", "advice").index(note.severity))
    return ordered[:MAX_NOTES]


def notes_of(schema: Mapping[str, Any]) -> tuple[Note, ...]:
    """The same, kept: for schemas that come with every request."""
    return _kept(json.dumps(schema))  # not sorted: the order of properties is told of


@lru_cache(KEPT)
def _kept(schema: str) -> tuple[Note, ...]:
    return tuple(lint(json.loads(schema)))

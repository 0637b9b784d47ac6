"""Answers that were recorded: `<id>.recorded.jsonl` beside the template, so that its cases run where no model is.

A line has the digest of everything that was asked (model, messages, fields) and the answer. What is asked otherwise
than then, in a single character, is not there: a recording never stands for another prompt.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from gateway.workbench.asking import Said
from serving.events import Usage

SUFFIX = ".recorded.jsonl"


class NotRecorded(Exception):
    """Raised where an answer is wanted that was not recorded; the text says how to record it."""


class Recorded:
    """The answers of one file, given in the order in which they were recorded, and from the first one again."""

    def __init__(self, file: Path) -> None:
        """Raises NotRecorded when the file is not one of recorded answers."""
        self._file = file
        self._said: defaultdict[str, list[Said]] = defaultdict(list)
        self._given: defaultdict[str, int] = defaultdict(int)
        try:
            lines = file.read_bytes().splitlines() if file.exists() else []
            for line in lines:
                parts = orjson.loads(line)
                self._said[parts.pop("asked")].append(Said(**parts | {"usage": Usage(**parts["usage"])}))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise NotRecorded(f"{file} has no recorded answers: {error}") from error

    async def ask(self, alias: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Said:
        """Raises NotRecorded."""
        asked = digest(alias, messages, fields)
        said = self._said.get(asked)
        if not said:
            raise NotRecorded(f"{self._file.name} has no answer to this prompt as it is now: record it with --record")
        self._given[asked] += 1
        return said[(self._given[asked] - 1) % len(said)]


class Recording:
    """Asks with `ask` and remembers; `write` replaces the file."""

    def __init__(self, ask: Any, file: Path) -> None:
        self._ask, self._file, self._lines = ask, file, list[bytes]()

    async def ask(self, alias: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> Said:
        """As the one that it stands before."""
        said: Said = await self._ask(alias, messages, fields)
        self._lines.append(orjson.dumps({"asked": digest(alias, messages, fields), **asdict(said)}))
        return said

    def write(self) -> None:
        """Raises OSError."""
        self._file.write_bytes(b"".join(line + b"\n" for line in sorted(self._lines)))


def digest(alias: str, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, Any]) -> str:
    """SHA-256, hex, of all that is asked."""
    canonical = orjson.dumps([alias, [dict(m) for m in messages], dict(fields)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()

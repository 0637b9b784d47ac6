"""Answers that were recorded: `<id>.recorded.jsonl` beside the template, so that its cases run where no model is.

A line has the digest of everything that was asked (model, messages, fields) and the answer. What is asked otherwise
than then, in a single character, is not there: a recording never stands for another prompt.
"""

import hashlib
from collections import defaultdict
from dataclasses import asdict

import orjson

from gateway.workbench.asking import Asking, Question, Said, Unanswered
from gateway.workbench.cases import CasesError
from serving.events import Usage

SUFFIX = ".recorded.jsonl"


class Recorded:
    """The answers of one file, given in the order in which they were recorded, and from the first one again."""

    def __init__(self, name: str, data: bytes) -> None:
        """`name` is the file's in texts. Raises CasesError when it is not one of recorded answers."""
        self._name = name
        self._said: defaultdict[str, list[Said]] = defaultdict(list)
        self._given: defaultdict[str, int] = defaultdict(int)
        try:
            for line in data.splitlines():
                parts = orjson.loads(line)
                asked, usage, calls = parts.pop("asked"), Usage(**parts.pop("usage")), tuple(parts.pop("calls", ()))
                self._said[asked].append(Said(**parts, usage=usage, calls=calls))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CasesError(f"{name} has no recorded answers: {error}") from error

    async def ask(self, question: Question) -> Said:
        """Raises Unanswered where it was not asked then."""
        asked = digest(question)
        said = self._said.get(asked)
        if not said:
            raise Unanswered(f"{self._name} has no answer to this prompt as it is now: record it with --record")
        self._given[asked] += 1
        return said[(self._given[asked] - 1) % len(said)]


class Recording:
    """Asks as `asking` does and remembers; `written` is the file."""

    def __init__(self, asking: Asking) -> None:
        self._asking, self._lines = asking, list[bytes]()

    async def ask(self, question: Question) -> Said:
        """Raises Unanswered."""
        said = await self._asking.ask(question)
        kept = asdict(said) | {"seconds": round(said.seconds, 3)}
        self._lines.append(orjson.dumps({"asked": digest(question), **kept}))
        return said

    def written(self) -> bytes:
        """In an order of their own, so that what is recorded again differs only where answers do."""
        return b"".join(line + b"\n" for line in sorted(self._lines))


def digest(question: Question) -> str:
    """SHA-256, hex, of all that a model is asked."""
    asked = [question.alias, [dict(message) for message in question.messages], dict(question.fields)]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()

"""An answer while it streams: whether it can still become what it must be. Never stops one that can.

Judges JSON that begins with a bracket, behind white space and a code fence at most (what `repair` can take away), and
choices; of regex, grammar and text it says nothing. Two things end an answer: it is no JSON any more, or a member that
is complete violates the schema so that no further one can heal it (`lasting`).

The work grows with the text alone: it is looked at again after it grew by an eighth, and by LEAST characters.
"""

import re
import string
from collections import OrderedDict
from typing import Any

import jiter

from gateway.exchange.wanted import Format
from gateway.schemas.compiled import SMALL, is_small
from gateway.schemas.lasting import lasting
from gateway.schemas.limits import written
from gateway.schemas.repair import OPENED, cleaned
from gateway.schemas.shape import shape
from gateway.schemas.validators import Validator, parsed, told
from serving.frozen import dataclass

LEAST, SHARE = 64, 8  # characters, part of the text
KEPT = 256  # schemas
MOST_CLEANED = 64 * 1024  # characters; own code reads them, some 1 us a token
QUICK = 200_000  # comparisons times characters, of one look: all faults are looked for, at 4.5 us each

_BEGINS = re.compile(rf"(?:{OPENED.pattern})?\s*[\[{{]")
_UNFINISHED = string.ascii_letters + string.digits + "+-./"  # a number, a word, a comment that only begins

_OPEN = ("EOF while", "trailing characters")  # jiter's words for what is not whole, or whole before its end

_kept: OrderedDict[bytes, "_Followed | None"] = OrderedDict()


class Progress:
    """One answer, as it comes. For a schema that is no small one (`compiled`) only its syntax is followed."""

    def __init__(self, format: Format) -> None:
        self._format = format
        self._pieces: list[str] = []
        self._length, self._due = 0, LEAST
        self._followed = _followed(format.schema) if format.schema is not None else None
        self._lenient = False

    def add(self, text: str) -> str | None:
        """What is wrong with the answer so far, once nothing can heal it; else None."""
        self._pieces.append(text)
        self._length += len(text)
        if self._length < self._due or self._format.kind not in ("json", "choice"):
            return None
        self._due = self._length + max(LEAST, self._length // SHARE)
        so_far = "".join(self._pieces)
        self._pieces = [so_far]
        return self._choice(so_far) if self._format.kind == "choice" else self._json(so_far)

    def _choice(self, so_far: str) -> str | None:
        if any(choice.startswith(so_far) for choice in self._format.choices):
            return None
        return "the answer is none of the choices"

    def _json(self, so_far: str) -> str | None:
        begun = _BEGINS.match(so_far)
        if begun is None or (self._lenient and self._length > MOST_CLEANED):
            return None
        try:
            value = self._value(so_far[begun.end() - 1 :])
        except ValueError as error:
            return f"the answer is no JSON: {error}"
        if self._followed is None or self._followed.work * self._length > QUICK:
            return None
        fault = lasting(value, self._followed.validator.errors(value))
        return told(fault) if fault else None

    def _value(self, text: str) -> Any:
        """What of the value is complete. Raises ValueError: no JSON, not even without what `repair` takes away."""
        if not self._lenient:
            try:
                return _partial(text)
            except ValueError:
                self._lenient = True
        return _partial(cleaned(text.rstrip(_UNFINISHED)))


def _partial(text: str) -> Any:
    """What is complete of a value: jiter leaves out a string that is open, takes an open number for a whole one, and
    what lacks a comma for finished. Raises ValueError: no JSON, whatever follows."""
    complete = text.rstrip(_UNFINISHED).encode("utf-8", "replace")
    try:
        return parsed(complete)
    except ValueError as error:
        if not str(error).startswith(_OPEN):
            raise
    return jiter.from_json(complete, partial_mode=True, allow_inf_nan=False, cache_mode="keys")


@dataclass(frozen=True, slots=True)
class _Followed:
    """A schema whose answers are followed; `work` as in `compiled.Known`."""

    validator: Validator
    work: int


def _followed(schema: Any) -> _Followed | None:
    """None where the schema's shape is not provably small, or it cannot be used."""
    try:
        key = written(schema)
        if key not in _kept:
            _kept[key] = _compiled(schema, key)
    except ValueError:
        return None
    if len(_kept) > KEPT:
        _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def _compiled(schema: Any, text: bytes) -> _Followed | None:
    if len(text) > SMALL:
        return None
    measured = shape(schema)
    work = measured.comparisons + measured.patterns
    return _Followed(Validator(schema, text), work) if is_small(text, measured) else None

"""Schemas, compiled once and kept, and texts judged by them: here where that is provably quick, else by a process.

Knows neither answers nor formats. Raises `InvalidValue` for a schema that cannot be used.

Invariants: nothing is compiled or judged on the event loop that could hold it for more than some 10 ms, whatever the
schema and the text; nothing takes longer than the deadline.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.errors import InvalidValue, Unready
from gateway.schemas.limits import COMPARISONS, TooMuch, bounded, written
from gateway.schemas.shape import Shape, shape
from gateway.schemas.validators import SHOWN_FAULTS, Judged, Unusable, Validator, judged, parsed
from gateway.schemas.workers import MEMORY, Died, NoProcess, TimeUp, Workers
from serving.frozen import dataclass

KEPT = 256  # schemas; one takes some 85 us to compile and a few KB to keep
SMALL_SUBSCHEMAS, SMALL_PATTERNS = 200, 10_000  # some 4 ms to compile, each
SMALL = 16 * 1024  # bytes of its JSON: some 1 ms to measure
QUICK = 1_000_000  # comparisons times bytes of answer: 10 ms at the very most, 7 us for most answers
QUICK_FAULTS = 10_000  # the same, where all faults are looked for: one takes 4.5 us
LONG = 64 * 1024  # bytes of answer; of a longer one only the first fault is told


@dataclass(frozen=True, slots=True)
class Known:
    """A schema that can be used. `validator` is None where it is left to a process."""

    written: bytes
    work: int
    validator: Validator | None


class Compiled:
    """Schemas, the most recently used kept."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._workers = Workers()
        self._kept: OrderedDict[bytes, Known] = OrderedDict()

    async def known(self, schema: Mapping[str, Any], param: str, asker: str = "") -> Known:
        """A schema that can be used. Raises InvalidValue, naming `param`: it is none, refers to other documents, is
        above a limit, or is not compiled within the deadline; Unready where no process can be started for it."""
        try:
            text = written(schema)
            if text not in self._kept:
                self._kept[text] = await self._compiled(schema, text, asker)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(text)
            return self._kept[text]
        except TooMuch as error:
            raise InvalidValue(f"The JSON Schema is too much: {error}.", param=param) from error
        except ValueError as error:
            raise InvalidValue(f"The JSON Schema cannot be used: {error}", param=param) from error

    async def judged(self, known: Known, text: bytes, most: int = SHOWN_FAULTS, asker: str = "") -> Judged:
        """What is wrong with a text that should be JSON that satisfies the schema; that it took too long is a fault.
        Raises Unready as `known` does."""
        work, most = known.work * len(text), most if len(text) <= LONG else 1
        if known.validator is None or work > QUICK:
            return await self._asked(known.written, text, most, asker)
        if work <= QUICK_FAULTS:
            return judged(known.validator, text, most)
        try:
            value = parsed(text)
        except ValueError:
            return judged(known.validator, text, most)
        if known.validator.accepts(value):
            return known.validator.judge(value, most)
        return await self._asked(known.written, text, most, asker)

    async def _compiled(self, schema: Mapping[str, Any], text: bytes, asker: str) -> Known:
        measured = await asyncio.to_thread(_measured, schema, text) if len(text) > SMALL else _measured(schema, text)
        if measured.comparisons > COMPARISONS:
            raise TooMuch(
                f"one value may have to be compared with {measured.comparisons:,} alternatives, and {COMPARISONS:,} "
                "are the most: nest fewer anyOf, oneOf and allOf"
            )
        work = measured.comparisons + measured.patterns
        if not is_small(text, measured):
            await self._compiles(text, asker)
            return Known(text, work, None)
        await asyncio.sleep(0)  # a request may bring a hundred tools
        return Known(text, work, Validator(schema, text))

    async def _compiles(self, text: bytes, asker: str) -> None:
        try:
            answer = orjson.loads(await self._ask((text, b"", b"0"), asker))
        except TimeUp as error:
            raise TooMuch(f"it took more than {self.deadline_s:g} s to compile: simplify it") from error
        except Died as error:
            raise TooMuch(f"it needs more than {MEMORY:,} MiB to compile: simplify it") from error
        if "refused" in answer:
            raise Unusable(answer["refused"])

    async def _asked(self, schema: bytes, text: bytes, most: int, asker: str) -> Judged:
        try:
            answer = orjson.loads(await self._ask((schema, text, str(most).encode()), asker))
        except TimeUp:
            return Judged((f"the answer could not be checked within {self.deadline_s:g} s: simplify its schema",))
        except Died:
            return Judged((f"the answer could not be checked within {MEMORY:,} MiB: simplify its schema",))
        return Judged(tuple(answer["faults"]), tuple(answer["flags"]))

    async def _ask(self, question: tuple[bytes, ...], asker: str) -> bytes:
        try:
            return await self._workers.ask(question, self.deadline_s, asker)
        except NoProcess as error:
            message = "The gateway cannot start a process that checks JSON Schemas; try again."
            raise Unready(message, code="checks_unavailable") from error


def _measured(schema: Mapping[str, Any], text: bytes) -> Shape:
    bounded(schema, text)
    return shape(schema)


def is_small(text: bytes, shape: Shape) -> bool:
    """Whether a schema can be compiled on the event loop."""
    few = shape.subschemas <= SMALL_SUBSCHEMAS and shape.patterns <= SMALL_PATTERNS
    return few and len(text) <= SMALL and not shape.open

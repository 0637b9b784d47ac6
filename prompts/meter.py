"""What one render may cost: bytes of output, and work on values in units of about a nanosecond.

Every operation of a template whose cost grows with a value is charged before it runs, so that a render ends after the
same step on every machine, and no clock has to stop it. Does not know Jinja or templates.

Invariant: no text here holds a value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

OUTPUT_CAP = 1 << 20  # bytes of one rendered prompt: some 250,000 tokens, more than the windows we serve
WORK_CAP = 16 << 20  # units; the worst operations take 2 to 6 ns for one, so some 20 to 90 ms
ITEM = 256  # units for an item of a list: an object of Python's, made or visited
TURN = 16  # bytes of output charged for a turn of a loop at least: 65,536 at most
CALL = 64  # and for a call of a macro: 16,384 at most

METER = "the meter"  # under which a render's own is found; not an identifier, so that no template can name it


class Refused(Exception):
    """Raised inside a template with a text that holds no value."""


class Meter:
    """What one render has left."""

    __slots__ = ("_output", "_work")

    def __init__(self, output: int) -> None:
        self._output, self._work = output, WORK_CAP

    def output(self, size: int) -> None:
        """Raises Refused when less is left."""
        self._output -= size
        if self._output < 0:
            raise Refused(f"the prompt is larger than {OUTPUT_CAP} bytes")

    def work(self, units: int) -> None:
        """Raises Refused when less is left."""
        self._work -= units
        if self._work < 0:
            raise Refused(f"compares, sorts or copies more than {WORK_CAP} characters of its values")

    def weigh(self, value: Any, rate: int = 1) -> None:
        """Charge for all that is in a value, as it is visited: shared parts count as often as they are reached."""
        if isinstance(value, str):
            self.work(len(value) * rate)
        elif value is None or isinstance(value, int | float):
            self.work(1)
        elif isinstance(value, Mapping):
            self.weigh(list(value), rate)
            self.weigh(list(value.values()), rate)
        elif isinstance(value, Sequence):
            self.work(len(value) * ITEM)
            for one in value:
                self.weigh(one, rate)


def size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())

"""One schema, compiled: what is wrong with the text of an answer. Knows neither limits nor time: see `checked`.

The dialect is that of `$schema`, else draft 2020-12. Nothing is fetched: a reference to another document is refused,
and named. Patterns run on the regex crate, whose time grows with the text alone and whose automata stay below its own
size limits: look-around and back-references, which no such engine has, are refused.

`format` is an annotation (2020-12 validation, section 7.2.1), so that nothing fails by it: what differs is flagged.
OpenAI's strict mode holds to some formats while it writes, and nothing there checks an answer afterwards.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import jiter
import jsonschema_rs

from serving.frozen import dataclass

SHOWN_FAULTS = 3  # named in an error: enough to act on, and bounded
LONGEST = 300  # characters of one fault
SIZE_LIMIT, DFA_SIZE_LIMIT = 10 << 20, 2 << 20  # bytes of one pattern's automata: the regex crate's own defaults

_PATTERNS = jsonschema_rs.RegexOptions(SIZE_LIMIT, DFA_SIZE_LIMIT)
_REMOTE = re.compile(r"Resource '(.*?)' is not present|Unknown meta-schema: '(.*?)'")
_VAST = re.compile(rb"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{308})")
_NO_PATTERN = 'is not a "regex"'


class Unusable(ValueError):
    """A schema that is none, or refers to other documents; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wrong with one value, and what is only odd: `format`, a string that is not in the format it should be."""

    faults: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Validator:
    """A compiled schema."""

    def __init__(self, schema: Mapping[str, Any], text: bytes) -> None:
        """`text` is the same schema, written. Raises Unusable."""
        self._validator = _compiled(schema, formats=False)
        self._formats = _compiled(schema, formats=True) if b'"format"' in text else None

    def judge(self, value: Any, most: int = SHOWN_FAULTS) -> Judged:
        """The first `most` faults: JSON Pointers (RFC 6901) with what is wrong there. They quote the schema, and of the
        value names only."""
        if self.accepts(value):
            odd = self._formats is not None and not self._formats.is_valid(value)
            return Judged(flags=("format",) if odd else ())
        if most == 1:
            return Judged((told(self.first(value)),))
        return Judged(tuple(told(error) for error in islice(self.errors(value), most)))

    def accepts(self, value: Any) -> bool:
        """Whether there is no fault: like the first one, found up to a thousand times quicker than all of them."""
        return self._validator.is_valid(value)

    def first(self, value: Any) -> jsonschema_rs.ValidationError:
        """What is found first of a value that is not accepted."""
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return error
        raise AssertionError("asked for the fault of a value that has none")

    def errors(self, value: Any) -> Iterator[jsonschema_rs.ValidationError]:
        return self._validator.iter_errors(value)


def parsed(text: bytes) -> Any:
    """The JSON value of a text, or of what it has of one. Raises ValueError, with its line and column."""
    exact = _VAST.search(text) is not None  # as a float it would be infinite, and satisfy whatever a null does
    return jiter.from_json(text, allow_inf_nan=False, cache_mode="keys", float_mode="decimal" if exact else "float")


def judged(validator: Validator, text: bytes, most: int = SHOWN_FAULTS) -> Judged:
    """What is wrong with a text that should be JSON that satisfies a schema."""
    try:
        value = parsed(text)
    except ValueError as error:
        return Judged((f"the answer is no JSON: {error}",))
    return validator.judge(value, most)


def _compiled(schema: Mapping[str, Any], *, formats: bool) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(
            dict(schema), offline=True, mask="the value", validate_formats=formats, pattern_options=_PATTERNS
        )
    except jsonschema_rs.ValidationError as error:
        raise Unusable(_reason(error)) from None
    except ValueError as error:
        raise Unusable(str(error).splitlines()[0]) from None


def _reason(error: jsonschema_rs.ValidationError) -> str:
    where = _pointer(error)
    if remote := _REMOTE.match(error.message):
        what = f"it refers to {next(filter(None, remote.groups()))!r}, and nothing is fetched"
        return f"{what}: write what it refers to into its own $defs"
    if error.message.endswith(_NO_PATTERN):
        return f"{where}: no pattern, or one with look-around, a back-reference or more than {SIZE_LIMIT >> 20} MiB"
    return f"{where}: {error.message[:LONGEST]}"


def told(error: jsonschema_rs.ValidationError) -> str:
    """The place of a fault and what is wrong there."""
    return f"{_pointer(error)}: {error.message}"[:LONGEST]


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path)
    return "".join(f"/{part}" for part in parts) or "the top"

"""One template: a header and a body that agree with each other, under the digest of the bytes they were read from.

Does not know where the bytes come from (`prompts.library`) nor what becomes of the messages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pygit2

from prompts import front as front_matter
from prompts.errors import Fault, LibraryError, RenderError, VariableError
from prompts.front import PASSAGES, FrontMatter
from prompts.sandbox import Program
from prompts.variables import Variables

__all__ = ["FrontMatter", "RenderError", "Template", "VariableError", "parse"]

DIGEST_SHOWN = 12  # hex digits of a digest that name a version: unambiguous up to some 10 million blobs
_Made = TypeVar("_Made")
_MAX_BYTES = 256 << 10  # a template larger than this is data in the wrong place


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt that can be rendered.

    `digest` is git's name of the file's bytes (SHA-1 of the blob, hex), `version` the tag it was asked for by, or the
    digest's first 12 digits; `source` is the whole file.
    """

    id: str
    version: str
    digest: str
    front: FrontMatter
    source: str = field(repr=False)
    _variables: Variables = field(repr=False, compare=False)
    _program: Program = field(repr=False, compare=False)

    def render(
        self,
        variables: Mapping[str, Any],
        passages: Sequence[Any] = (),
        neutral: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> list[dict[str, str]]:
        """OpenAI messages (`role`, `content`) for these variables and retrieved passages.

        `neutral` takes out of the checked variables what a model would misread. Raises VariableError when the variables
        fail their schema, RenderError when the template fails on them.
        """
        values = neutral(self._variables.accept(variables))
        return self._program.render({**values, PASSAGES: passages})


def digest_of(data: bytes) -> str:
    """Git's name of these bytes, 40 hex digits."""
    return str(pygit2.hash(data))


def parse(id: str, path: str, data: bytes, tag: str | None = None) -> Template:
    """The template in a file's bytes. Raises LibraryError with all of its faults; `path` is the name in their texts."""
    text = _decode(path, data)
    header, body = front_matter.split(path, text)
    front, front_faults = _attempt(front_matter.read, path, header)
    program, body_faults = _attempt(Program, path, body)
    if front is None or program is None:
        raise LibraryError([*front_faults, *body_faults])
    variables = Variables(front.variables)
    known = variables.names | {PASSAGES}
    if unknown := [(line, name) for name, line in program.free.items() if name not in known]:
        raise LibraryError([Fault(path, line, f"{name} is not a declared variable") for line, name in sorted(unknown)])
    digest = digest_of(data)
    return Template(id, tag or digest[:DIGEST_SHOWN], digest, front, text, variables, program)


def _attempt(step: Callable[..., _Made], *arguments: Any) -> tuple[_Made | None, tuple[Fault, ...]]:
    """What a step makes, or its faults: one run reports those of the header and of the body."""
    try:
        return step(*arguments), ()
    except LibraryError as error:
        return None, error.faults


def _decode(path: str, data: bytes) -> str:
    if len(data) > _MAX_BYTES:
        raise LibraryError([Fault(path, 0, f"has {len(data)} bytes; a template has at most {_MAX_BYTES}")])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LibraryError([Fault(path, data.count(b"\n", 0, error.start) + 1, "is not UTF-8")]) from None

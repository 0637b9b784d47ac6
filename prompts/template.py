"""One template: a header, a body and the files that they name, in agreement, under the digest of all their bytes.

Does not know where the bytes come from (`prompts.library`) nor what becomes of the messages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from prompts import beside, files
from prompts import front as front_matter
from prompts.beside import Example
from prompts.errors import Fault, LibraryError, RenderError, VariableError
from prompts.files import Read, digest_of, digest_of_parts
from prompts.front import PASSAGES, FrontMatter
from prompts.sandbox import Program
from prompts.variables import Variables, compile_schema

__all__ = ["Example", "FrontMatter", "RenderError", "Shot", "Template", "VariableError", "parse"]

DIGEST_SHOWN = 12  # hex digits of a digest that name a version: unambiguous up to some 10 million blobs
_Made = TypeVar("_Made")
_Messages = list[dict[str, str]]
_MAX_BYTES = 256 << 10  # a template larger than this is data in the wrong place


@dataclass(frozen=True, slots=True)
class Shot:
    """An example as messages: what the template says to its variables after the system messages, and the answer.

    `label` is what examples are balanced by.
    """

    example: Example
    label: str | None
    messages: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt that can be rendered.

    `digest` names all that it renders from: git's name (SHA-1 of the blob, hex) of the file's bytes or, where it
    includes or names other files, of the list of them all (`prompts.files.digest_of_parts`). `version` is the tag it
    was asked for by, or the digest's first 12 digits; `source` is the whole file. `tools` are request fields.
    """

    id: str
    version: str
    digest: str
    front: FrontMatter
    source: str = field(repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(repr=False)
    _variables: Variables = field(repr=False, compare=False)
    _program: Program = field(repr=False, compare=False)
    shots: tuple[Shot, ...] = field(repr=False, default=())

    def render(
        self,
        variables: Mapping[str, Any],
        passages: Sequence[Any] = (),
        neutral: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
        shots: Sequence[Shot] | None = None,
    ) -> _Messages:
        """OpenAI messages (`role`, `content`) for these variables and retrieved passages.

        `neutral` takes out of the checked variables what a model would misread. `shots`, all of the template's where it
        is None, stand between the system messages and the rest. Raises VariableError when the variables fail their
        schema, RenderError when the template fails on them.
        """
        values = neutral(self._variables.accept(variables))
        messages = self._program.render({**values, PASSAGES: passages})
        chosen = self.shots if shots is None else shots
        if not chosen:
            return messages
        start = _leading(messages)
        return [*messages[:start], *(dict(one) for shot in chosen for one in shot.messages), *messages[start:]]


def parse(id: str, path: str, data: bytes, tag: str | None = None, read: Read | None = None) -> Template:
    """The template in a file's bytes. `path` is its name in texts, `read` finds the other files of its version.

    Raises LibraryError with all of its faults.
    """
    found = files.parts(path, lambda one: data if one == path else read(one) if read else None)
    text = _decode(path, data)
    header, body = front_matter.split(path, text)
    front, front_faults = _attempt(front_matter.read, path, header)
    program, body_faults = _attempt(Program, path, body, found.get)
    if front is None or program is None:
        raise LibraryError([*front_faults, *body_faults])
    variables = Variables(front.variables)
    if faults := program.unknown(variables.names | {PASSAGES}):
        raise LibraryError(faults)
    digest = digest_of_parts({one: digest_of(bytes) for one, bytes in found.items()})
    tools = _tools(path, front, found.get)
    made = Template(id, tag or digest[:DIGEST_SHOWN], digest, front, text, tools, variables, program)
    return replace(made, shots=_shots(path, made, found.get))


def _tools(path: str, front: FrontMatter, read: Read) -> tuple[Mapping[str, Any], ...]:
    if front.tools is None:
        return ()
    if isinstance(front.tools, list):
        return tuple(beside.checked_tools(path, front.tools))
    return tuple(beside.tools(*_file(path, front.tools, "tools", read)))


def _shots(path: str, template: Template, read: Read) -> tuple[Shot, ...]:
    """The examples, rendered. Raises LibraryError with a fault for each that the template would refuse."""
    if template.front.examples is None:
        return ()
    place, data = _file(path, template.front.examples, "examples", read)
    schema = template.front.output_schema
    valid = compile_schema(schema).is_valid if schema else None
    shots, faults = [], []
    for number, example in enumerate(beside.examples(place, data)):
        try:
            if valid and not valid(example.answer):
                raise RenderError("its answer does not satisfy the template's output_schema")
            shots.append(_shot(template, example))
            _demand_comparable(template, shots[-1])
        except (VariableError, RenderError) as error:
            faults.append(Fault(place, 0, f"{number}: {error}"))
    labels, wanted = {shot.label for shot in shots}, template.front.shots
    if not faults and wanted and wanted.select == "balanced" and wanted.count < len(labels):
        faults.append(
            Fault(path, 1, f"shots.count: {wanted.count} are too few for one of each of {len(labels)} labels")
        )
    if faults:
        raise LibraryError(faults)
    return tuple(shots)


def _demand_comparable(template: Template, shot: Shot) -> None:
    """Raises RenderError where an example lacks what it is to be chosen by."""
    wanted, question = template.front.shots, template.front.question
    if wanted and wanted.select != "fixed" and question not in shot.example.variables:
        raise RenderError(f"has no {question}, which it is compared by")
    if wanted and wanted.select == "balanced" and shot.label is None:
        raise RenderError(f"has no label, and its answer no text {wanted.label or 'field'} that could be one")


def _shot(template: Template, example: Example) -> Shot:
    messages = template.render(example.variables)
    return Shot(
        example,
        _label(template, example),
        (*messages[_leading(messages) :], {"role": "assistant", "content": example.text}),
    )


def _label(template: Template, example: Example) -> str | None:
    wanted = template.front.shots
    if example.label is None and wanted and wanted.label and isinstance(example.answer, Mapping):
        value = example.answer.get(wanted.label)
        return value if isinstance(value, str) else None
    return example.label


def _leading(messages: _Messages) -> int:
    """How many system messages a prompt begins with."""
    return next((at for at, one in enumerate(messages) if one["role"] != "system"), len(messages))


def _file(path: str, name: str, key: str, read: Read) -> tuple[str, bytes]:
    place = files.beside(path, name)
    data = read(place)
    if data is None:
        raise LibraryError(
            [Fault(path, 1, f"{key}: the file {place} is missing, or its name is not on the key's line")]
        )
    return place, data


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

"""The front matter of a template: what it says about itself before its body begins.

YAML between `---` lines or TOML between `+++` lines, read strictly: an unknown key is an error with its line. Does not
know the body, which `prompts.template` holds against it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from prompts import strict_yaml
from prompts.errors import Fault, LibraryError
from prompts.files import is_beside
from prompts.policies import DROPS, STRICT, Budget, Cache, Retrieve, Sampling, SectionName, Shots, Text, listed
from prompts.variables import Variables, compile_schema

__all__ = ["PASSAGES", "Cache", "FrontMatter", "Header", "Retrieve", "read", "split"]

PASSAGES = "passages"  # the name under which a body finds what was retrieved

# Names that Jinja gives a meaning of its own inside a message block; a variable of that name would be shadowed.
_RESERVED = frozenset({PASSAGES, "self", "loop", "caller", "varargs", "kwargs"})
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_Read = TypeVar("_Read")


def _tier(cache: Any) -> Any:
    return {"tier": cache} if isinstance(cache, str) else cache


def _object_schema(variables: Any) -> Any:
    """The shorthand `name: schema` as the schema of an object: all required unless they have a default, no others."""
    if not isinstance(variables, Mapping):
        return variables
    if variables.get("type") == "object":
        return {"additionalProperties": False, **variables}
    required = [name for name, one in variables.items() if not (isinstance(one, Mapping) and "default" in one)]
    return {"type": "object", "properties": dict(variables), "required": required, "additionalProperties": False}


def _valid_variables(schema: dict[str, Any]) -> dict[str, Any]:
    names = _accepted(Variables, schema).names
    for name in sorted(names):
        if not _VARIABLE.fullmatch(name) or name in _RESERVED:
            raise PydanticCustomError("name", "{name} cannot be the name of a variable", {"name": repr(name)})
    return schema


def _valid_schema(schema: dict[str, Any]) -> dict[str, Any]:
    _accepted(compile_schema, schema)
    return schema


def _accepted(reader: Callable[[dict[str, Any]], _Read], schema: dict[str, Any]) -> _Read:
    try:
        return reader(schema)
    except ValueError as error:
        raise PydanticCustomError("schema", "{reason}", {"reason": str(error)}) from None


def _beside(name: str) -> str:
    if not is_beside(name):
        raise PydanticCustomError("file", "must be a file beside the template, such as answer.examples.yaml")
    return name


_File = Annotated[str, AfterValidator(_beside)]


class FrontMatter(BaseModel):
    """What a template declares; None where it leaves the choice to the request and the configuration.

    `on_stop`: what to do for each cause of a stop, in the order to try; causes and remedies are words of whoever
    serves the template, which checks them. `examples` and `tools` name files beside the template; `tools` may also be
    the definitions themselves, as OpenAI's requests have them.
    """

    model_config = STRICT

    description: Text
    owner: Text | None = None
    model: Text | None = None
    task: Text | None = None
    sampling: Sampling = Field(default_factory=Sampling)
    variables: Annotated[dict[str, Any], BeforeValidator(_object_schema), AfterValidator(_valid_variables)]
    question: str | None = None
    examples: _File | None = None
    shots: Shots | None = None
    tools: _File | list[dict[str, Any]] | None = None
    retrieve: Retrieve | None = None
    output_schema: Annotated[dict[str, Any], AfterValidator(_valid_schema)] | None = None
    on_length: Literal["error", "return", "retry", "continue"] | None = None
    on_stop: dict[Text, Annotated[list[Text], Field(min_length=1), BeforeValidator(listed)]] = {}
    mode: Literal["verdict", "strict"] | None = None
    cache: Annotated[Cache, BeforeValidator(_tier)] = Cache()
    sections: dict[SectionName, Budget] = {}


class Header(NamedTuple):
    """The text of a front matter, its first line blank in place of the fence, and the fence."""

    fence: str
    text: str


def split(path: str, text: str) -> tuple[Header, str]:
    """The header of a template file and its body, which keeps the file's line numbers by starting with blank lines.

    Raises LibraryError when the file has no header; `path` is the name in its text.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    fence = lines[0].rstrip()
    if fence not in ("---", "+++"):
        raise LibraryError([Fault(path, 1, "must begin with front matter: a line --- (YAML) or +++ (TOML)")])
    for end, line in enumerate(lines[1:], start=1):
        if line.rstrip() == fence:
            return Header(fence, "\n".join(["", *lines[1:end]])), "\n" * (end + 1) + "\n".join(lines[end + 1 :])
    raise LibraryError([Fault(path, 1, f"the front matter has no end: a second line {fence} is missing")])


def read(path: str, header: Header) -> FrontMatter:
    """What a header declares. Raises LibraryError with every fault."""
    try:
        front = FrontMatter.model_validate(_data(path, header))
    except ValidationError as error:
        raise LibraryError(
            [_fault(path, header, _keys(found["loc"]), found["msg"]) for found in error.errors()]
        ) from None
    if faults := [_fault(path, header, tuple(key.split(".")), message) for key, message in _contradictions(front)]:
        raise LibraryError(faults)
    return front


def _data(path: str, header: Header) -> Any:
    try:
        return tomllib.loads(header.text) if header.fence == "+++" else strict_yaml.load(header.text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        raise LibraryError([Fault(path, int(place[1]) if place else 1, f"not TOML: {error}")]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LibraryError([Fault(path, line, f"not YAML: {error.problem}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LibraryError([Fault(path, 1, f"cannot be read: {str(error).splitlines()[0]}")]) from None


def _contradictions(front: FrontMatter) -> Iterator[tuple[str, str]]:
    """Keys that are fine alone and wrong together."""
    properties = front.variables.get("properties", {})
    texts = [name for name, one in properties.items() if isinstance(one, Mapping) and one.get("type") == "string"]
    if front.model and front.task:
        yield "task", "model and task exclude each other: name the model, or the task that chooses one"
    if front.question is not None and front.question not in texts:
        yield "question", f"{front.question!r} is not a declared variable of type string"
    if front.cache.tier == "semantic" and front.question is None:
        yield "cache", "semantic compares the question alone: name it with `question`, or use exact"
    if front.cache.personal and front.cache.tier != "off":
        yield "cache", "personal answers are never kept: leave the tier out"
    if front.retrieve and front.question is None:
        yield "retrieve", "searches for the question: name it with `question`"
    if front.shots and front.examples is None:
        yield "shots", "chooses from examples: name their file with `examples`"
    if front.shots and front.shots.select != "fixed" and front.question is None:
        yield "shots", f"{front.shots.select} compares the question: name it with `question`"
    for section, budget in front.sections.items():
        if budget.drop and budget.drop not in DROPS[section]:
            yield f"sections.{section}.drop", f"drops {' or '.join(DROPS[section])}"
    if front.output_schema and front.on_length == "continue":
        # A grammar starts at its root with every request, so the engine cannot go on inside an object that was cut.
        yield "on_length", "continue cannot be combined with output_schema: cut JSON cannot be continued"


def _keys(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place without pydantic's mark for a key that is wrong itself."""
    return tuple(key for key in place if key != "[key]")


def _fault(path: str, header: Header, place: tuple[int | str, ...], message: str) -> Fault:
    named = ".".join(map(str, place))
    text = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown key")
    return Fault(path, _line_of(header.text, place), f"{named}: {text}" if named else text)


def _line_of(header: str, place: tuple[int | str, ...]) -> int:
    """The line of a key, found by its name below the line of its parent; the nearest parent where that fails."""
    line, lines = 0, header.split("\n")
    for part in place:
        key = re.compile(rf"(?:^|[\s\[{{,.\"']){re.escape(str(part))}[\"']?\s*[]:=.]")
        line = next((at for at in range(line, len(lines)) if key.search(lines[at])), line)
    return max(line + 1, 1)

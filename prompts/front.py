"""The front matter of a template: what it says about itself before its body begins.

YAML between `---` lines or TOML between `+++` lines, read strictly: an unknown key is an error with its line. Does not
know the body, which `prompts.template` holds against it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from prompts import strict_yaml
from prompts.errors import Fault, LibraryError
from prompts.variables import Variables, compile_schema

PASSAGES = "passages"  # the name under which a body finds what was retrieved

# Names that Jinja gives a meaning of its own inside a message block; a variable of that name would be shadowed.
_RESERVED = frozenset({PASSAGES, "self", "loop", "caller", "varargs", "kwargs"})
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
_Read = TypeVar("_Read")
_Text = Annotated[str, Field(min_length=1)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]


def _listed(one_or_more: Any) -> Any:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


class Sampling(TypedDict, total=False):
    """Request fields a template may set: OpenAI's (ranges of its API reference), then vLLM's own."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    stop: Annotated[list[_Text], Field(min_length=1, max_length=4), BeforeValidator(_listed)]
    seed: int
    presence_penalty: _Penalty
    frequency_penalty: _Penalty
    top_k: Annotated[int, Field(ge=-1)]
    min_p: Annotated[float, Field(ge=0, le=1)]
    repetition_penalty: Annotated[float, Field(gt=0, le=2)]
    min_tokens: Annotated[int, Field(ge=0)]


class Retrieve(BaseModel):
    """Where passages come from and how many at most.

    `filter` is metadata that they must have, `team: people` or `team: [people, legal]`: a request can narrow it, not
    lift it. `floor`: the least probability of relevance; None is the collection's.
    """

    model_config = _STRICT

    collection: _Text
    top_k: int = Field(default=4, ge=1, le=100)
    filter: dict[_Text, Annotated[list[_Text], Field(min_length=1), BeforeValidator(_listed)]] = {}
    floor: float | None = Field(default=None, ge=0, le=1)


class Cache(BaseModel):
    """What of its answers may be kept, and for which questions one may stand. `cache: exact` is short for its tier.

    `kind`: `closed` where questions have few answers (a FAQ, a classifier), `open` otherwise. `names`: `strict` where
    a name that only one of two questions has speaks against it. Answers of a `personal` template are never kept,
    whatever a request says. `ttl_s`: seconds; None is the configuration's.
    """

    model_config = _STRICT

    tier: Literal["off", "exact", "semantic"] = "off"
    kind: Literal["open", "closed"] = "open"
    names: Literal["strict", "tolerant"] = "tolerant"
    personal: bool = False
    ttl_s: float | None = Field(default=None, gt=0)


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


class FrontMatter(BaseModel):
    """What a template declares; None where it leaves the choice to the request and the configuration.

    `on_stop`: what to do for each cause of a stop, in the order to try; causes and remedies are words of whoever
    serves the template, which checks them.
    """

    model_config = _STRICT

    description: _Text
    model: _Text | None = None
    task: _Text | None = None
    sampling: Sampling = Field(default_factory=Sampling)
    variables: Annotated[dict[str, Any], BeforeValidator(_object_schema), AfterValidator(_valid_variables)]
    question: str | None = None
    retrieve: Retrieve | None = None
    output_schema: Annotated[dict[str, Any], AfterValidator(_valid_schema)] | None = None
    on_length: Literal["error", "return", "retry", "continue"] | None = None
    on_stop: dict[_Text, Annotated[list[_Text], Field(min_length=1), BeforeValidator(_listed)]] = {}
    mode: Literal["verdict", "strict"] | None = None
    cache: Annotated[Cache, BeforeValidator(_tier)] = Cache()


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
        raise LibraryError([_fault(path, header, found["loc"], found["msg"]) for found in error.errors()]) from None
    if faults := [_fault(path, header, (key,), message) for key, message in _contradictions(front)]:
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
    if front.output_schema and front.on_length == "continue":
        # A grammar starts at its root with every request, so the engine cannot go on inside an object that was cut.
        yield "on_length", "continue cannot be combined with output_schema: cut JSON cannot be continued"


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

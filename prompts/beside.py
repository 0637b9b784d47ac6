"""The files that a header names: few-shot examples and tool definitions, YAML or JSON lines beside the template.

    # answer.examples.yaml
    - variables: {question: "How many days has a week?"}
      answer: Seven.              # text, or any JSON value
      label: short                # optional: what examples are balanced by

    # answer.tools.json, as OpenAI's requests have them
    [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]

Knows no body: what an example becomes is for `prompts.template`. Invariant: a file that is not understood is a fault
with its place.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from prompts import strict_yaml
from prompts.errors import Fault, LibraryError
from prompts.policies import STRICT
from prompts.variables import compile_schema

_MAX_BYTES = 1 << 20
_MAX_EXAMPLES = 1000  # each is rendered when its template is loaded: some 40 ms for them all
_MAX_TOOLS = 128  # OpenAI's own bound


class Example(BaseModel):
    """One question and the answer that it should have."""

    model_config = STRICT

    variables: dict[str, Any]
    answer: Any
    label: str | None = None

    @property
    def text(self) -> str:
        """The answer as a model would have written it."""
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer, ensure_ascii=False)


def _schema(parameters: dict[str, Any]) -> dict[str, Any]:
    compile_schema(parameters)
    return parameters


class _Function(BaseModel):
    model_config = STRICT

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")  # OpenAI's API reference
    description: str | None = None
    parameters: Annotated[dict[str, Any], AfterValidator(_schema)] = {}
    strict: bool | None = None


class _Tool(BaseModel):
    model_config = STRICT

    type: Literal["function"]
    function: _Function


_EXAMPLES = TypeAdapter(Annotated[list[Example], Field(min_length=1, max_length=_MAX_EXAMPLES)])
_TOOLS = TypeAdapter(Annotated[list[_Tool], Field(min_length=1, max_length=_MAX_TOOLS)])


def examples(path: str, data: bytes) -> list[Example]:
    """The examples of a file. Raises LibraryError with every fault."""
    made: list[Example] = _checked(path, _EXAMPLES, _data(path, data))
    return made


def tools(path: str, data: bytes) -> list[Mapping[str, Any]]:
    """The tools of a file. Raises LibraryError with every fault."""
    return checked_tools(path, _data(path, data))


def checked_tools(path: str, found: Any) -> list[Mapping[str, Any]]:
    """Tool definitions as request fields. Raises LibraryError; `path` is the file that they stand in."""
    made = _checked(path, _TOOLS, found)
    names = [tool.function.name for tool in made]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LibraryError([Fault(path, 0, f"tools: {name} is defined twice") for name in twice])
    return [tool.model_dump(exclude_unset=True) for tool in made]


def _checked(path: str, adapter: TypeAdapter[Any], found: Any) -> Any:
    try:
        return adapter.validate_python(found)
    except ValidationError as error:
        raise LibraryError([Fault(path, 0, _said(one["loc"], one["msg"])) for one in error.errors()]) from None


def _said(place: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown key")
    return ": ".join(filter(None, [".".join(map(str, place)), text]))


def _data(path: str, data: bytes) -> Any:
    if len(data) > _MAX_BYTES:
        raise LibraryError([Fault(path, 0, f"has {len(data)} bytes; such a file has at most {_MAX_BYTES}")])
    if path.endswith(".jsonl"):
        return list(_lines(path, data))
    try:
        return orjson.loads(data) if path.endswith(".json") else strict_yaml.load(data.decode())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise LibraryError([Fault(path, line, f"not YAML: {error.problem}")]) from None
    except orjson.JSONDecodeError as error:
        raise LibraryError([Fault(path, error.lineno, f"not JSON: {error.msg}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LibraryError([Fault(path, 0, f"cannot be read: {str(error).splitlines()[0]}")]) from None


def _lines(path: str, data: bytes) -> Iterator[Any]:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise LibraryError([Fault(path, number, f"not JSON: {error.msg}")]) from None

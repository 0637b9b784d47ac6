"""What a template must do, written beside it: `<id>.cases.yaml`, with variables and what is expected of the answer.

    - name: a week
      variables: {question: "How many days has a week?"}
      passages: [{heading: Calendar, text: A week has seven days.}]    # what retrieval would have found
      times: 10                                                        # answers; default 1
      least: 0.8                                                       # share of them that must pass; default 1
      expect:
        - contains: seven                # also: exact, matches (RE2), excludes
        - schema: true                   # the template's output_schema, or a JSON Schema
        - similar: {to: Seven days., least: 0.7}
        - judge: Does the answer name a number of days?
        - calls: {name: calendar, arguments: {required: [unit]}}       # a tool, and a JSON Schema of its arguments

Knows no backend and runs nothing. Invariant: a file that is not understood is an error with its place, never a case
that passes.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import re2
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from prompts import strict_yaml

SUFFIX = ".cases.yaml"

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _compiled(pattern: str) -> str:
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise ValueError(f"not a pattern that RE2 takes: {error}") from None
    return pattern


Pattern = Annotated[Text, AfterValidator(_compiled)]


class CasesError(Exception):
    """Raised when a file of cases cannot be used; the text has one fault per line."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Passage(_Part):
    """A passage as a template sees it; they are numbered from 1 in the order of the file."""

    heading: str = ""
    text: Text


class Similar(_Part):
    """The answer's embedding has at least that cosine with the one of the text."""

    to: Text
    least: Share = 0.8


def _named(one: Any) -> Any:
    return {"asks": one} if isinstance(one, str) else one


class Judged(_Part):
    """A model says yes when it is asked this about the answer; `model` is an alias, default: the template's own."""

    asks: Text
    model: str | None = None


class Calls(_Part):
    """The answer calls this tool; `arguments` is a JSON Schema that those of one call satisfy."""

    name: Text
    arguments: dict[str, Any] = {}


class Expectation(_Part):
    """One thing that is expected: exactly one of these."""

    exact: str | None = None
    contains: Text | None = None
    excludes: Text | None = None
    matches: Pattern | None = None
    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    similar: Similar | None = None
    judge: Annotated[Judged | None, BeforeValidator(_named)] = None
    calls: Calls | None = None

    @model_validator(mode="after")
    def _one(self) -> "Expectation":
        if len(self.model_fields_set) != 1:
            raise ValueError("name one of exact, contains, excludes, matches, schema, similar, judge, calls")
        return self

    @property
    def kind(self) -> str:
        """Which of them it is."""
        (name,) = self.model_fields_set
        return name.rstrip("_")


class Case(_Part):
    """One case. `passages` None: the case says nothing of them, and whoever retrieves may; `()`: none were found."""

    name: Text
    variables: dict[str, Any] = {}
    passages: tuple[Passage, ...] | None = None
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    least: Share = 1.0
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]


_CASES = TypeAdapter(tuple[Case, ...])


def read(name: str, data: bytes | None) -> tuple[Case, ...]:
    """The cases in the bytes of a file, none where there is no file; `name` is its own in texts. Raises CasesError."""
    if data is None:
        return ()
    try:
        cases = _CASES.validate_python(strict_yaml.load(data.decode()) or ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CasesError(f"{name}:{line}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CasesError("\n".join(_faults(name, error))) from error
    if twice := {case.name for case in cases if sum(other.name == case.name for other in cases) > 1}:
        raise CasesError(f"{name}: each case has a name of its own; twice: {', '.join(sorted(twice))}")
    return cases


def _faults(name: str, error: Exception) -> Iterator[str]:
    if not isinstance(error, ValidationError):
        yield f"{name}: {error}"
        return
    for found in error.errors():
        yield f"{name}: {'.'.join(map(str, found['loc']))}: {found['msg'].removeprefix('Value error, ')}"

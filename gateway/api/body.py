"""Bytes to checked values: parsed once, bounded in depth, held against a pydantic shape. Knows no particular request.

Invariants: every fault of the bytes or of their shape is an `InvalidValue` that says where, never what: a body is not
echoed, for it may hold prompts, and not all that a parser accepts can be written back.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, ValidationError

from gateway.errors import InvalidValue
from serving.bounds import deeper

LONGEST_NAME = 64  # of a client's own field name that is shown back to it


class Strict(BaseModel):
    """An object of which every field is known: `1` is no string, `"1"` no number, and a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Picked(BaseModel):
    """Some fields of an object, as strict each; the others are somebody else's matter."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


M = TypeVar("M", bound=BaseModel)


def member(name: Callable[[Any], str | None], expected: str) -> Discriminator:
    """Chooses a union's member by `name`; the tags' `|` keeps them out of an error's path."""
    return Discriminator(
        lambda value: f"|{name(value)}", custom_error_type="union", custom_error_message=f"Input should be {expected}"
    )


def type_of(value: Any) -> str:
    """The name of what JSON became: str, list, dict, ..."""
    return type(value).__name__


def field_of(field: str) -> Callable[[Any], str | None]:
    """What an object has in `field`; None for what is no object."""
    return lambda value: value.get(field) if isinstance(value, Mapping) else None


def parse(body: bytes, max_depth: int) -> dict[str, Any]:
    """The JSON object in `body`. Raises InvalidValue with the place of the first fault."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidValue(f"The body is not JSON: {error.msg} at {where}.") from None
    if not isinstance(value, dict):
        raise InvalidValue("The body must be a JSON object.")
    if deeper(value, max_depth):
        raise InvalidValue(f"The body is nested more than {max_depth} levels deep; send a flatter one.")
    return value


def checked(shape: type[M], value: Mapping[str, Any]) -> M:
    """`value` as a `shape`. Raises InvalidValue whose `param` is the path of the first wrong field."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = _path(first["loc"])
    raise InvalidValue(_sentence(param, first["type"], first["msg"]), param=param)


def _path(loc: tuple[int | str, ...]) -> str:
    """`messages[0].content`. Steps that begin with `|` name a union's member, `[key]` a key: the body has neither."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not step.startswith("|") and step != "[key]":
            path += f".{step[:LONGEST_NAME]}" if path else step[:LONGEST_NAME]
    return path


def _sentence(param: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{param} is not a field of this API; remove it or correct its spelling."
    if kind == "missing":
        return f"{param} is required."
    return f"{param}: {message.removeprefix('Value error, ')}."

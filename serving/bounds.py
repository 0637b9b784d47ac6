"""Small checks that fields are made of. A check takes a value and returns nothing; it raises ValueError saying what it
accepts, phrased to follow the field's name ("must be a number from 0 to 2"). It never quotes the value.

Invariant: a check's schema accepts whatever the check does; of sizes and depths it says less, for JSON Schema has no
words for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Check:
    """Call it with a value. `schema` says in JSON Schema (2020-12) what it accepts."""

    run: Callable[[Any], None]
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> None:
        self.run(value)


def accepting(**schema: Any) -> Callable[[Callable[[Any], None]], Check]:
    """Makes a check of a function, which accepts what `schema` says."""
    return lambda run: Check(run, schema)


def deeper(value: dict[str, Any] | list[Any], levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep, found level by level rather than by recursion: no
    nesting can exhaust the stack."""
    level: list[Any] = [value]
    for _ in range(levels):
        level = [child for node in level for child in _children(node) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`, both included."""

    @accepting(type="number", minimum=low, maximum=high)
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")

    return check


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`, both included."""

    @accepting(type="integer", minimum=low, maximum=high)
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")

    return check


@accepting(type="boolean")
def flag(value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")


@accepting()
def anything(value: Any) -> None:
    """Accepts every value: for what is not sent on."""


def text(longest: int) -> Check:
    """A string of 1 to `longest` characters."""

    @accepting(type="string", minLength=1, maxLength=longest)
    def check(value: Any) -> None:
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise ValueError(f"must be a string of 1 to {longest} characters")

    return check


def one_of(*choices: str) -> Check:
    """One of some strings."""

    @accepting(enum=[*choices])
    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")

    return check


def exactly(only: Any, otherwise: str) -> Check:
    """One value, which says nothing; `otherwise` is what to do instead of sending another."""

    @accepting(const=only)
    def check(value: Any) -> None:
        if type(value) is not type(only) or value != only:
            raise ValueError(f"must be {orjson.dumps(only).decode()}: {otherwise}")

    return check


def several(each: Check, most: int) -> Check:
    """A list of at most `most` values, each of them checked."""

    @accepting(type="array", items=each.schema, maxItems=most)
    def check(value: Any) -> None:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"must be a list of at most {most} entries")
        for item in value:
            _within("each entry", each, item)

    return check


def either(first: Check, second: Check) -> Check:
    """What one of two checks accepts."""

    @accepting(anyOf=[first.schema, second.schema])
    def check(value: Any) -> None:
        try:
            first(value)
        except ValueError as one:
            try:
                second(value)
            except ValueError as two:
                raise ValueError(f"{one}, or {two}") from None

    return check


def json_object(most_bytes: int, deepest: int) -> Check:
    """An object, at most so many bytes as JSON and so many levels deep."""

    @accepting(type="object")
    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise ValueError("must be an object")
        if deeper(value, deepest):
            raise ValueError(f"must be at most {deepest} levels deep")
        if _size(value) > most_bytes:
            raise ValueError(f"must be at most {most_bytes} bytes of JSON")

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """An object with these keys and no others."""
    known = {**required, **optional}
    properties = {name: check.schema for name, check in known.items()}

    @accepting(type="object", properties=properties, required=sorted(required), additionalProperties=False)
    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise ValueError("must be an object")
        if missing := required.keys() - value.keys():
            raise ValueError(f"must have {', '.join(sorted(missing))}")
        if value.keys() - known.keys():
            raise ValueError(f"may have only {', '.join(sorted(known))}")
        for name, item in value.items():
            _within(name, known[name], item)

    return check


def _within(name: str, check: Check, value: Any) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"is wrong: {name} {error}") from None


def _size(value: Any) -> int:
    try:
        return len(orjson.dumps(value))
    except TypeError:
        raise ValueError("must be plain JSON") from None


def _children(node: dict[str, Any] | list[Any]) -> Any:
    return node.values() if isinstance(node, dict) else node

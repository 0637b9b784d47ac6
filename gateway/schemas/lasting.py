"""Which faults of the beginning of a value no continuation can heal.

The beginning has only whole members: an unfinished number or string is no part of it. The containers along its right
edge may still be open; all else is complete, and its faults last. In an open one only these last: a wrong type, too
many members, a member or a name that may not be there; and that each alternative has a fault that lasts.

What a condition says (`then`, `else`, `unevaluated*`) may change with what comes. A name that comes twice in an object
is not looked for: its first value is judged as if it were the only one.
"""

from collections.abc import Iterable
from typing import Any

from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

_LASTING = (
    Kind.Type, Kind.FalseSchema, Kind.MaxItems, Kind.MaxProperties, Kind.AdditionalItems, Kind.AdditionalProperties,
    Kind.PropertyNames,
)  # fmt: skip
_CONDITIONS = frozenset({"then", "else", "unevaluatedItems", "unevaluatedProperties"})

Path = list[str | int]


def lasting(value: Any, errors: Iterable[ValidationError]) -> ValidationError | None:
    """The first error of this beginning that lasts."""
    edge = _edge(value)
    return next((error for error in errors if _lasts(error, edge)), None)


def _lasts(error: ValidationError, edge: Path) -> bool:
    kind, complete = error.kind, error.instance_path != edge[: len(error.instance_path)]
    own = isinstance(kind, (Kind.UnevaluatedItems, Kind.UnevaluatedProperties))  # its keyword is the last of its path
    if not _CONDITIONS.isdisjoint(error.evaluation_path[:-1] if own else error.evaluation_path):
        return False
    if complete or isinstance(kind, _LASTING):
        return True
    if isinstance(kind, (Kind.AnyOf, Kind.OneOfNotValid)):
        return all(any(_lasts(inner, edge) for inner in branch) for branch in kind.context)
    return False


def _edge(value: Any) -> Path:
    """The path of the innermost container that may be open: the last member of the last member, and so on."""
    path: Path = []
    while isinstance(value, (dict, list)) and value:
        last: str | int = next(reversed(value)) if isinstance(value, dict) else len(value) - 1
        value = value[last]  # type: ignore[index]
        if isinstance(value, (dict, list)):
            path.append(last)
    return path

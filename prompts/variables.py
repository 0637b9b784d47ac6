"""Variables of a template: JSON Schema in, checked values out.

Does not know templates or files. Schemas are written by template authors, values by clients, so the schema is trusted
to be sensible but not to be correct, and the values are trusted with nothing: no reference is ever fetched, patterns
run on an engine without backtracking, and no message repeats a value.
"""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from prompts.errors import VariableError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # a key that may be repeated in a message
_Kind = jsonschema_rs.ValidationErrorKind


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """A validator for a JSON Schema (draft 2020-12 unless `$schema` says otherwise).

    Raises ValueError, saying where, when the schema is invalid, refers to another document or names an unknown format.
    """
    try:
        return jsonschema_rs.validator_for(
            dict(schema),
            offline=True,
            mask="the value",
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except jsonschema_rs.ValidationError as error:
        place = ".".join(map(str, error.instance_path))
        raise ValueError(f"{place}: {error.message}" if place else error.message) from None


class Variables:
    """The variables one template declares."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """`schema` describes the object of all variables. Raises ValueError when it, or a default in it, is invalid."""
        self._validator = compile_schema(schema)
        self.names = frozenset(schema.get("properties", {}))
        self._defaults = {
            name: one["default"]
            for name, one in schema.get("properties", {}).items()
            if isinstance(one, Mapping) and "default" in one
        }
        self._check_defaults(schema)

    def accept(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with defaults filled in. Raises VariableError for the first one that fails the schema."""
        filled = {**self._defaults, **values}
        for name, value in filled.items():
            _require_json(str(name), value)
        try:
            self._validator.validate(filled)
        except jsonschema_rs.ValidationError as error:
            raise _explain(error) from None
        except ValueError:  # a key that is no text, or nesting beyond the validator's limit
            raise VariableError("", "the variables must be a JSON object with text as keys") from None
        return filled

    def _check_defaults(self, schema: Mapping[str, Any]) -> None:
        for name, value in self._defaults.items():
            alone = {"$defs": schema.get("$defs", {}), **schema["properties"][name]}
            if not compile_schema(alone).is_valid(value):
                raise ValueError(f"{name}.default: does not satisfy the schema of {name}")


def _require_json(name: str, value: Any) -> None:
    try:
        orjson.dumps(value)
    except TypeError:  # a lone surrogate has no bytes that could come out of a template unchanged
        param = name if _NAME.fullmatch(name) else "?"
        limits = "valid Unicode, integers of 64 bits at most, nesting under 250"
        raise VariableError(param, f"variable {param}: must be JSON with {limits}") from None


def _explain(error: jsonschema_rs.ValidationError) -> VariableError:
    path, message = [*error.instance_path], error.message
    match error.kind:
        case _Kind.Required():
            path, message = [*path, error.kind.property], "is required"
        case _Kind.AdditionalProperties() | _Kind.UnevaluatedProperties():
            path, message = [*path, error.kind.unexpected[0]], "is not a variable of this prompt"
    param = ".".join(part if _NAME.fullmatch(part) else "?" for part in map(str, path))
    return VariableError(param, f"variable {param}: {message}")

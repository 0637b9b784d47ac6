"""JSON Schemas, compiled once and kept: what an answer must satisfy. Knows no prompt and no backend.

Nothing is fetched: a reference to another document is refused (by default both `http` and `file`
references are followed). Patterns run on a linear-time engine, so that no pattern can stall a check.
Raises `InvalidValue` for a schema that cannot be used: before anything is spent, when the build stage asks first.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from gateway.errors import InvalidValue

KEPT = 256  # compiled validators; one takes some 85 us to compile and a few KB to keep
SHOWN_FAULTS = 3  # paths named in an error: enough to act on, and bounded


class Schemas:
    """Validators by schema, the most recently used kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, jsonschema_rs.Validator] = OrderedDict()

    def compile(self, schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
        """The validator of this schema. Raises InvalidValue, saying where it is wrong."""
        key = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
        if key not in self._kept:
            self._kept[key] = _compiled(schema)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """The paths that fail (JSON Pointers, RFC 6901, with the keyword), SHOWN_FAULTS at most; empty when valid."""
        errors = self.compile(schema).iter_errors(value)
        return [_where(error) for error in islice(errors, SHOWN_FAULTS)]


def _where(error: jsonschema_rs.ValidationError) -> str:
    pointer = "".join(f"/{part}" for part in error.instance_path) or "the top"
    return f"{pointer} ({error.schema_path[-1]})" if error.schema_path else pointer


def _compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise InvalidValue(f"The JSON Schema cannot be used: {reason}", param="response_format") from error

"""One thing that a lint says about a schema. Knows no rule."""

from dataclasses import asdict
from typing import Any, Literal

from serving.frozen import dataclass

Severity = Literal["error", "warning", "advice"]


@dataclass(frozen=True, slots=True)
class Note:
    """`pointer`: where (a JSON Pointer, RFC 6901; "" is the root). The message says what happens and what to change.

    `error`: the engine refuses the schema, or no answer that it writes can be valid. `warning`: the engine does not
    hold answers to it, so an answer may fail the gateway's check. `advice`: valid answers that the engine never writes,
    and what makes answers longer or worse.
    """

    severity: Severity
    pointer: str
    keyword: str
    message: str

    def row(self) -> dict[str, Any]:
        return asdict(self)

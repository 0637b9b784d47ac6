"""What a prompt is composed of, and what of it is left once it was made to fit. Knows no model and no room."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from gateway.exchange.call import Message, Truncate
from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """The app's own `messages`, a template's `variables`, or a raw `text`; `examples` are places in the template's
    list of examples, the best first."""

    messages: tuple[Message, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[int, ...] = ()
    text: str | None = None

    def shortened(self, whole: "Parts") -> int:
        """How many of the texts of `whole` are there in part only."""
        same = {id(message) for message in whole.messages}
        changed = sum(id(message) not in same for message in self.messages)
        changed += sum(bool(value != whole.variables[name]) for name, value in self.variables.items())
        return changed + int(self.text != whole.text)


@dataclass(frozen=True, slots=True)
class Cut:
    """A prompt of which something was left out: what is left, by the `rule` that the request names (None: those of the
    template), within the `window` of its model, in tokens.

    `left_out` counts messages and `examples` examples that are gone, `shortened` texts of which a part is left.
    """

    parts: Parts
    rule: Truncate | None
    window: int
    left_out: int
    shortened: int
    examples: int

    @classmethod
    def of(cls, whole: Parts, parts: Parts, rule: Truncate | None, window: int) -> "Cut":
        return cls(
            parts, rule, window,
            len(whole.messages) - len(parts.messages),
            parts.shortened(whole),
            len(whole.examples) - len(parts.examples),
        )  # fmt: skip

    def told(self) -> dict[str, int]:
        """What the client and the trace are told."""
        return {"left_out": self.left_out, "shortened": self.shortened, "examples": self.examples}

"""What an answer is worth: why it stopped, and whether it is what its format wants. Knows no policy and no citation.

A text that would satisfy its format once its fences or trailing commas are gone is repaired, if it ended by itself and
nobody has seen it yet.
"""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Literal

from gateway.answering.causes import Bounds, causes, honest, worst
from gateway.exchange import Format
from gateway.schemas import Checked, Schemas
from gateway.stopping import Cause
from serving.errors import BackendError
from serving.events import Choice, Completion, Usage
from serving.frozen import dataclass

Schema = Literal["none", "valid", "repaired", "unchecked", "invalid"]

_SCHEMAS: tuple[Schema, ...] = ("invalid", "unchecked", "repaired", "valid", "none")  # from the worst on
_BY_ITSELF: frozenset[Cause] = frozenset({"stop", "tool_calls", "empty"})  # what ended so is held to its format
_UNCALLED = Checked("invalid", ("no tool is called, and tool_choice demands a call",), None, ())


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of one attempt. `faults` are the places that fail the format, without their text; `wrong` is the
    first choice that has any.

    `completion` is repaired where `schema` says so; None where the engine broke, and then `failure` is how.
    """

    cause: Cause
    completion: Completion | None = None
    schema: Schema = "none"
    faults: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    wrong: Choice | None = None
    failure: BackendError | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def finish_reason(self) -> str:
        choices = self.completion.choices if self.completion else ()
        return choices[0].finish_reason if choices else "stop"


class Judge:
    """Judges whole completions."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    async def __call__(
        self, format: Format, completion: Completion, bounds: Bounds, asker: str, *, seen: bool
    ) -> Judged:
        """`seen`: its text has been sent, so that nothing of it can be repaired. `asker` is the tenant."""
        found, completion = causes(completion, bounds), honest(completion)
        if not (format.structured or format.tools):
            return Judged(worst(found), completion, usage=completion.usage or Usage())
        checked = [await self._checked(format, choice, asker, seen) for choice in completion.choices]
        pairs = list(zip(found, checked, strict=True))
        whole = [one for cause, one in pairs if cause in _BY_ITSELF]
        return Judged(
            worst(_held(cause, one) for cause, one in pairs),
            _repaired(completion, checked),
            min((one.schema for one in checked), key=_SCHEMAS.index, default="none"),
            tuple(dict.fromkeys(fault for one in whole for fault in one.faults)),
            tuple(dict.fromkeys(flag for one in whole for flag in one.flags)),
            next((choice for choice, one in zip(completion.choices, checked, strict=True) if one.faults), None),
            usage=completion.usage or Usage(),
        )

    async def _checked(self, format: Format, choice: Choice, asker: str, seen: bool) -> Checked:
        if format.demands and not choice.message.get("tool_calls"):
            return _UNCALLED
        reason = "length" if seen else choice.finish_reason  # only what ended by itself is repaired
        return await self._schemas.checked(format, choice.message, reason, asker)


def _held(cause: Cause, checked: Checked) -> Cause:
    """What ended by itself and fails its format is invalid, an empty text too; what was cut, was cut."""
    return "invalid" if checked.faults and cause in _BY_ITSELF else cause


def _repaired(completion: Completion, checked: Sequence[Checked]) -> Completion:
    if all(one.content is None for one in checked):
        return completion
    choices = zip(completion.choices, checked, strict=True)
    return replace(completion, choices=tuple(_instead(choice, one.content) for choice, one in choices))


def _instead(choice: Choice, content: str | None) -> Choice:
    return choice if content is None else replace(choice, message={**choice.message, "content": content})

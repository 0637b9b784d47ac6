"""Why an answer really stopped: the cause behind the engine's finish_reason. Pure; knows no policy.

The engine's word alone does not tell: vLLM says `length` for a ceiling and for a full window, 0.32 says `tool_calls`
of a call that was cut, and an answer may end by itself and say nothing. A word that is not known counts as `error`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import orjson

from gateway.stopping import Cause
from serving.events import Choice, Completion, Usage
from serving.frozen import dataclass

Outcome = Literal["complete", "truncated", "failed"]

_CALLS = ("tool_calls", "function_call")
_WORDS: Mapping[str, Cause] = {"repetition": "repetition", "content_filter": "content_filter", "abort": "abort"}

# From the worst on: of several choices the worst one's cause decides for all. An invalid one is worse than one that was
# cut: that a cut answer may be returned does not make the other one valid.
_RANKS: tuple[Cause, ...] = (
    "error", "abort", "invalid", "content_filter", "tool_cut", "window", "reasoning", "ceiling", "repetition", "empty",
    "tool_calls", "stop",
)  # fmt: skip
_CUT: frozenset[Cause] = frozenset({"ceiling", "window", "tool_cut", "reasoning", "repetition", "content_filter"})
_WHOLE: frozenset[Cause] = frozenset({"stop", "tool_calls"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounded one generation, in tokens: the model's `window`, its `input`, and the `ceiling` of each choice.

    `tools`: it could call some. vLLM shows nothing of a call before it has read its name, some 20 tokens.
    """

    window: int
    input: int
    ceiling: int
    tools: bool = False

    def full(self, usage: Usage | None) -> bool:
        """Whether a choice that was cut for its length has filled the window.

        Its ceiling was no more than what the window left. What is joined of several parts says more than one ceiling.
        """
        said = usage.output_tokens if usage else 0
        return self.input + max(self.ceiling, said) >= self.window


def causes(completion: Completion, bounds: Bounds) -> list[Cause]:
    """Why each choice stopped."""
    usage = completion.usage
    full = bounds.full(usage if len(completion.choices) == 1 else None)
    thought = bool(usage and usage.reasoning_tokens)
    return [_cause(choice, full, thought, bounds.tools) for choice in completion.choices]


def worst(found: Iterable[Cause]) -> Cause:
    """The cause of an answer of several choices; of none at all, `empty`."""
    return min(found, key=_RANKS.index, default="empty")


def outcome(cause: Cause) -> Outcome:
    """What an answer that stopped so is, once it is given."""
    return "complete" if cause in _WHOLE else "truncated" if cause in _CUT else "failed"


def honest(completion: Completion) -> Completion:
    """The completion with the finish reason `length` for every choice whose tool call was cut."""
    if not any(map(_misnamed, completion.choices)):
        return completion
    choices = (replace(one, finish_reason="length") if _misnamed(one) else one for one in completion.choices)
    return replace(completion, choices=tuple(choices))


def thinking(message: Mapping[str, Any]) -> bool:
    """Whether a message has reasoning; vLLM says `reasoning`, as older ones said `reasoning_content`."""
    return bool(message.get("reasoning") or message.get("reasoning_content"))


def _cause(choice: Choice, full: bool, thought: bool, tools: bool) -> Cause:
    message, reason = choice.message, choice.finish_reason
    calls = message.get("tool_calls")
    if calls and (reason == "length" or (reason in ("stop", *_CALLS) and not _whole(calls))):
        return "tool_cut"
    if reason == "length" and not message.get("content") and (thought or thinking(message)):
        return "reasoning"
    if reason == "length" and tools and not message.get("content"):
        return "tool_cut"
    if reason == "length":
        return "window" if full else "ceiling"
    if reason in _CALLS or (reason == "stop" and calls):
        return "tool_calls"
    if reason == "stop":
        return "stop" if message.get("content") else "empty"
    return _WORDS.get(reason, "error")


def _misnamed(choice: Choice) -> bool:
    """Whether a tool call was cut though the engine does not say so: arguments that are no JSON tell."""
    return choice.finish_reason != "length" and not _whole(choice.message.get("tool_calls") or ())


def _whole(calls: Iterable[Mapping[str, Any]]) -> bool:
    for call in calls:
        try:
            orjson.loads(call.get("function", {}).get("arguments") or "{}")
        except orjson.JSONDecodeError:
            return False
    return True

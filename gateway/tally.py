"""The usage of one generation as it runs: the engine's count, or ours where the engine's is absent or cannot be.

A backend that lies, or a proxy before it that drops usage, must neither make an answer free nor break a limit.
Knows no price and no budget. Invariant: the usage never goes down and never passes the window or the ceiling.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from serving.events import Deltas, Event, Start, Usage
from serving.tokens import Tokens


class Tally:
    """Counts one generation. `prompt`: tokens of its input as we counted them; `most`: its ceiling over all choices.

    `source` is `engine`, or `counted` once a single count was ours.
    """

    def __init__(self, tokens: Tokens, window: int, prompt: int, most: int) -> None:
        self._tokens, self._window, self._most = tokens, window, most
        self._usage = Usage(prompt)
        self.source: Literal["engine", "counted"] = "engine"

    def told(self, event: Event) -> Event:
        """The event with a usage that can be believed."""
        if isinstance(event, Start):
            return event
        pieces = event.pieces if isinstance(event, Deltas) else ()
        if event.usage is not None and self._possible(event.usage, bool(pieces)):
            self._usage = event.usage
            return event
        self.source = "counted"
        texts = (text for piece in pieces for text in _texts(piece.delta))
        said = self._usage.output_tokens + sum(map(self._tokens.text, texts))
        self._usage = replace(self._usage, output_tokens=min(said, self._most))
        return replace(event, usage=self._usage)

    def facts(self) -> dict[str, Any]:
        """What this generation has used, and who says so."""
        usage = self._usage
        return {
            "usage": self.source,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
        }

    def _possible(self, usage: Usage, said: bool) -> bool:
        """Nothing negative, no more than the window and the ceiling, not less than before, not 0 where it said any."""
        return (
            0 < usage.input_tokens <= self._window
            and self._usage.output_tokens <= usage.output_tokens <= self._most
            and (usage.output_tokens > 0 or not said)
            and usage.cached_tokens >= 0
            and usage.reasoning_tokens >= 0
        )


def _texts(delta: Mapping[str, Any]) -> Iterator[str]:
    """Everything in a delta that was generated: content, reasoning, arguments of tool calls."""
    yield from (value for name, value in delta.items() if name != "role" and isinstance(value, str) and value)
    for call in delta.get("tool_calls") or ():
        yield from (str(value) for value in (call.get("function") or {}).values() if value)

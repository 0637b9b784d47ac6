"""Check: may this answer be trusted? Why it stopped, whether its schema holds, what it cites. Knows no backend.

Structured answers are validated even though the engine was guided: guidance skips what it does not support, and a cut
object is no object. Sentences without support in what they cite are told, and refuse nothing. A cached answer keeps the
verdict it was stored with.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NoReturn

import orjson

from gateway.errors import OutputInvalid, OutputTruncated, Unavailable
from gateway.exchange import Call, Hit, Packed, Verdict
from gateway.schemas import Schemas
from gateway.tracing import traced
from retrieval.pack import citations
from retrieval.support import unsupported
from serving.events import Choice, Completion

COMPLETE = ("stop", "tool_calls", "function_call")


class Check:
    """Judges whole answers."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    @traced("check")
    async def __call__(self, call: Call, basis: Packed | Hit, completion: Completion) -> Verdict:
        """Judge an `honest` completion. Raises OutputTruncated, OutputInvalid, or Unavailable (the engine gave up)."""
        if isinstance(basis, Hit):
            return basis.verdict
        reasons = [choice.finish_reason for choice in completion.choices]
        if "length" in reasons:
            return self._cut(basis, completion)
        for unknown in (r for r in reasons if r not in COMPLETE):
            _failed(unknown)
        schema = basis.prompt.format.schema
        for choice in completion.choices if schema else ():
            self._validate(schema or {}, choice)
        text = str(completion.choices[0].message.get("content") or "") if completion.choices else ""
        cited, missing = citations(text, basis.found)
        return Verdict(
            "complete", reasons[0] if reasons else "stop", "valid" if schema else "none",
            tuple(asdict(c) for c in cited), tuple(missing) if basis.prompt.retrieve else (), _unsupported(basis, text),
        )  # fmt: skip

    def _cut(self, basis: Packed, completion: Completion) -> Verdict:
        used = completion.usage.output_tokens if completion.usage else 0
        if basis.prompt.on_length in ("error", "retry"):
            raise OutputTruncated(
                f"The answer was cut after {used} tokens, before it was complete. Raise max_completion_tokens, ask "
                "for less, or set gateway.on_length to `continue` or `return`.",
                param="max_completion_tokens",
            )
        return Verdict("truncated", "length")

    def _validate(self, schema: Mapping[str, Any], choice: Choice) -> None:
        if choice.message.get("tool_calls"):
            return
        try:
            value = orjson.loads(str(choice.message.get("content") or ""))
        except orjson.JSONDecodeError as error:
            raise OutputInvalid(f"The answer is not JSON (line {error.lineno}, column {error.colno}).") from error
        faults = self._schemas.faults(schema, value)
        if faults:
            raise OutputInvalid(f"The answer does not satisfy its schema at {', '.join(faults)}.")


def _unsupported(basis: Packed, text: str) -> tuple[tuple[int, int], ...]:
    """Of an answer in words; the texts inside a structured one have no sentences' places."""
    search = basis.prompt.retrieve
    if search is None or basis.prompt.format.structured:
        return ()
    return tuple(unsupported(text, basis.found, search.snapshot.section.language))


def reason(choice: Choice) -> str:
    """The honest finish reason. vLLM 0.32 says `tool_calls` of a call that was cut: arguments that are no JSON tell."""
    for tool in choice.message.get("tool_calls") or ():
        try:
            orjson.loads(tool.get("function", {}).get("arguments") or "{}")
        except orjson.JSONDecodeError:
            return "length"
    return choice.finish_reason


def honest(completion: Completion) -> Completion:
    """The completion with every choice's honest finish reason."""
    if all(reason(choice) == choice.finish_reason for choice in completion.choices):
        return completion
    return replace(completion, choices=tuple(replace(c, finish_reason=reason(c)) for c in completion.choices))


def _failed(finish_reason: str) -> NoReturn:
    if finish_reason == "repetition":
        raise OutputInvalid("The engine ended the answer because it repeated itself; change the penalty or the seed.")
    raise Unavailable(f"The engine ended the answer itself ({finish_reason}); try again.")

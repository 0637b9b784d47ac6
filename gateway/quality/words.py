"""What was found of one answer, in a few words: for the journal, the metrics and every rate that is made of them. Pure.

    truncated    cut by its ceiling, by the window, inside a tool call or while it still reasoned
    invalid      does not satisfy its format
    empty        says nothing
    repeated     ended by the engine because it repeated itself
    blocked      refused by a guard, or ended by the engine's filter; what came in counts too
    flagged      given in spite of a fault that a check or a guard found
    called       calls tools
    tool_failed  calls them with arguments that were cut or do not satisfy the tool's schema
    error        no answer: a backend or the gateway failed
    repaired     did not satisfy its format at first: its text was mended, or the model was asked to
    retried, continued, shortened, fell_back: what else was done before it came to this

An answer without any of them was judged, and nothing was found. None instead of words: there is nothing to judge. That
is an embedding, a cached answer (it was judged when it was made), a client that left, a request refused before a model
was asked, and one that found every backend full, for load says nothing of a version.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from gateway.errors import LEFT, ContentFilter, OutputInvalid, OutputTruncated, Overloaded
from gateway.exchange import Looked, Verdict
from gateway.stopping import Cause, Remedy

Word = Literal[
    "truncated", "invalid", "empty", "repeated", "blocked", "flagged", "called", "tool_failed", "error",
    "repaired", "retried", "continued", "shortened", "fell_back",
]  # fmt: skip

_OF_CAUSE: Mapping[Cause, tuple[Word, ...]] = {
    "tool_calls": ("called",),
    "ceiling": ("truncated",),
    "window": ("truncated",),
    "tool_cut": ("truncated", "called", "tool_failed"),
    "reasoning": ("truncated", "empty"),
    "empty": ("empty",),
    "repetition": ("repeated",),
    "content_filter": ("blocked",),
    "abort": ("error",),
    "error": ("error",),
    "invalid": ("invalid",),
}
_OF_CODE: Mapping[str, Word] = {
    OutputTruncated.code: "truncated",
    OutputInvalid.code: "invalid",
    ContentFilter.code: "blocked",
}
_OF_REMEDY: Mapping[Remedy, Word] = {
    "repair": "repaired",
    "retry": "retried",
    "continue": "continued",
    "shorten": "shortened",
    "fallback": "fell_back",
    "flag": "flagged",
}
_ARGUMENTS = "tool_arguments"  # the check's flag


def words(
    verdict: Verdict | None, status: int, code: str | None, looked: Iterable[Looked], asked: bool
) -> tuple[Word, ...] | None:
    """The words of one request, sorted. `status` and `code` as the client saw them, `asked`: whether a model was."""
    refused = code == ContentFilter.code
    if status == LEFT or code == Overloaded.code or not (asked or refused) or not (verdict or code):
        return None
    found = {*_judged(verdict), *_guarded(looked)}
    if code and not found & {*_OF_CODE.values(), "repeated", "error"}:
        found.add(_OF_CODE.get(code, "error"))
    return tuple(sorted(found | {"blocked"} if refused else found))


def _judged(verdict: Verdict | None) -> Iterable[Word]:
    if verdict is None:
        return
    yield from _OF_CAUSE.get(verdict.cause, ())
    yield from (_OF_REMEDY[remedy] for remedy in verdict.remedies if remedy in _OF_REMEDY)
    if verdict.schema in ("repaired", "invalid"):
        yield verdict.schema
    if verdict.flags:
        yield "flagged"
    if _ARGUMENTS in verdict.flags:
        yield from ("called", "tool_failed")


def _guarded(looked: Iterable[Looked]) -> Iterable[Word]:
    rulings = {one.ruling for one in looked}
    if "block" in rulings:
        yield "blocked"
    if "flag" in rulings:
        yield "flagged"

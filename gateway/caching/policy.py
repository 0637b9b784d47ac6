"""What may be looked up, kept and compared, by what the request and its template say. Pure.

A request's `auto` follows the template; `use`, `refresh` and `only` ask for the cache where the template does not, but
nothing makes a personal template's answers be kept.
"""

import re

from gateway.exchange import Call, Prompt, Verdict
from prompts.front import Cache
from serving.events import Choice, Completion

PLAIN = Cache()  # of requests without a template: open questions, strict in everything

# An answer to what these ask for is right for a while only. English, as the embedder is.
_TIMELY = re.compile(
    r"\b(?:now|today|tonight|tomorrow|yesterday|current(?:ly)?|latest|newest|recent(?:ly)?|nowadays|ago|"
    r"(?:this|last|next) (?:second|minute|hour|morning|afternoon|evening|night|day|weekend|week|month|quarter|year)|"
    r"so far|at the moment|what time|what day|what date)\b",
    re.IGNORECASE,
)
# The first words of refusals, as attacks on language models look for them (Zou et al., arXiv 2307.15043, appendix).
_REFUSAL = re.compile(
    r"\s*(?:I(?:'|’)?m (?:very |really |so )?sorry|I am (?:very |really |so )?sorry|I apologi[sz]e|My apologies|"
    r"Sorry(?=,)|As an AI|I(?:'|’)m just an|I(?:'|’)m an AI|I cannot (?:help|assist|provide|fulfil)|"
    r"I can(?:'|’)t (?:help|assist|provide|fulfil)|I(?:'|’)m (?:unable|not able) to|I am (?:unable|not able) to)\b",
    re.IGNORECASE,
)


def of(prompt: Prompt) -> Cache:
    """What its template says of caching."""
    return prompt.template.front.cache if prompt.template else PLAIN


def uncached(call: Call, prompt: Prompt) -> str | None:
    """Why this request has no part in the cache, in words; None when it has."""
    if call.options.cache == "skip":
        return "the request says skip"
    if of(prompt).personal:
        return "the answers of this prompt are personal"
    if call.options.cache == "auto" and (prompt.cache == "off" or _varied(call, prompt)):
        return "caching is off for this kind of request"
    return None


def uncompared(call: Call, prompt: Prompt) -> str | None:
    """Why similarity may not decide here, in words; None when it may."""
    wanted = prompt.cache == "semantic" if call.options.semantic is None else call.options.semantic
    if not wanted or prompt.question is None:
        return "no equal request, and similarity is off for this kind of request"
    fields = prompt.fields
    if fields.get("tools") or int(fields.get("n") or 1) > 1 or fields.get("logprobs"):
        return "no equal request, and with tools, logprobs or several choices none is compared"
    if _TIMELY.search(prompt.question):
        return "no equal request, and the answer to this one depends on the time"
    return None


def keepable(completion: Completion, verdict: Verdict) -> bool:
    """Whether an answer may be given again: whole, checked, without a fault, citing only what was there, no refusal."""
    whole = verdict.stop == "complete" and not verdict.flags and not verdict.unknown_citations
    return whole and not any(map(_refuses, completion.choices))


def _varied(call: Call, prompt: Prompt) -> bool:
    """Whether the request asks for variety where its template does not."""
    return bool(
        prompt.template and call.fields.get("temperature") and not prompt.template.front.sampling.get("temperature")
    )


def _refuses(choice: Choice) -> bool:
    message = choice.message
    return bool(message.get("refusal")) or bool(_REFUSAL.match(str(message.get("content") or "")))

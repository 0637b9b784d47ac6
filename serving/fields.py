"""The fields of a chat completion that a client may set, with their bounds: what is not listed never reaches a backend.

vLLM accepts unknown fields silently and has many that cost without limit, reach into other requests or run code; each
of its fields is therefore in exactly one of three tables: `FIELDS` (sent on, or accepted and dropped), `HANDLED` (the
gateway sets or reads them itself) and `REFUSED` (with what to do instead). Each bound is on one field alone; what
depends on the model, such as the context window, is checked elsewhere.

`allowed` copies: what a client sent is never passed on as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.bounds import (
    Check,
    anything,
    either,
    flag,
    integer,
    json_object,
    number,
    one_of,
    record,
    several,
    text,
)


class FieldError(ValueError):
    """Raised when a request has a field that it may not have; `param` names it, the message says what to do."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it must be, and whether it is sent on (or only accepted, because clients send it by habit)."""

    check: Check
    sent: bool = True


MAX_TOKENS = 1_000_000  # beyond any model's window; the model's own limit comes later and is smaller
# Grammars are compiled by the engine for everyone, so they stay small: the largest real ones are some 20 KiB.
GRAMMAR_CHARS = 16 * 1024
SCHEMA_BYTES, SCHEMA_LEVELS = 64 * 1024, 32  # vLLM itself stops at 64 levels
TOOL_BYTES = 32 * 1024
INT64 = 2**63 - 1

_schema = json_object(SCHEMA_BYTES, SCHEMA_LEVELS)
_name = text(64)
_function = record({"name": _name}, {"description": text(8192), "parameters": _schema, "strict": flag})


def _logit_bias(value: Any) -> None:
    """OpenAI: token ids as strings, biases from -100 to 100, at most 300 of them."""
    if not isinstance(value, dict) or len(value) > 300:
        raise ValueError("must be an object of at most 300 entries")
    bias = number(-100, 100)
    for token, amount in value.items():
        if not token.isascii() or not token.isdigit():
            raise ValueError("must have token ids as its keys")
        bias(amount)


def _response_format(value: Any) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "json_schema":
        named = record({"name": _name, "schema": _schema}, {"description": text(8192), "strict": flag})
        record({"type": anything, "json_schema": named}, {})(value)
    elif kind in ("text", "json_object"):
        record({"type": anything}, {})(value)
    else:
        raise ValueError("must be an object whose type is text, json_object or json_schema")


def _structured_outputs(value: Any) -> None:
    kinds: dict[str, Check] = {
        "json": _schema,
        "regex": text(1024),
        "choice": several(text(256), 256),
        "grammar": text(GRAMMAR_CHARS),
    }
    record({}, {**kinds, "disable_any_whitespace": flag})(value)
    if len(kinds.keys() & value.keys()) != 1:
        raise ValueError("must have exactly one of json, regex, choice, grammar")


_tool = record({"type": one_of("function"), "function": _function}, {})
_named_tool = record({"type": one_of("function"), "function": record({"name": _name}, {})}, {})
_repetition = record(
    {"max_pattern_size": integer(1, 100), "min_count": integer(2, 1000)}, {"min_pattern_size": integer(1, 100)}
)

FIELDS: Mapping[str, Field] = {
    # How long, how many.
    "max_tokens": Field(integer(1, MAX_TOKENS)),
    "max_completion_tokens": Field(integer(1, MAX_TOKENS)),
    "min_tokens": Field(integer(0, MAX_TOKENS)),
    "n": Field(integer(1, 4)),  # vLLM's own bound is 16384, each a full answer
    "stop": Field(either(text(64), several(text(64), 4))),
    "stop_token_ids": Field(several(integer(0, INT64), 16)),
    "include_stop_str_in_output": Field(flag),
    # How the next token is drawn.
    "temperature": Field(number(0, 2)),
    "top_p": Field(number(0, 1)),
    "top_k": Field(integer(-1, MAX_TOKENS)),
    "min_p": Field(number(0, 1)),
    "presence_penalty": Field(number(-2, 2)),
    "frequency_penalty": Field(number(-2, 2)),
    "repetition_penalty": Field(number(0.01, 2)),
    "repetition_detection": Field(_repetition),
    "seed": Field(integer(-INT64 - 1, INT64)),
    "logit_bias": Field(_logit_bias),
    "bad_words": Field(several(text(64), 32)),
    "logprobs": Field(flag),
    "top_logprobs": Field(integer(0, 20)),
    # What shape the answer has.
    "response_format": Field(_response_format),
    "structured_outputs": Field(_structured_outputs),
    "tools": Field(several(_tool, 64)),
    "tool_choice": Field(either(one_of("none", "auto", "required"), _named_tool)),
    "parallel_tool_calls": Field(flag),
    "reasoning_effort": Field(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    "include_reasoning": Field(flag),
    "thinking_token_budget": Field(integer(0, MAX_TOKENS)),
    # Sent by OpenAI's clients for OpenAI's own bookkeeping; no engine needs them.
    "user": Field(anything, sent=False),
    "metadata": Field(anything, sent=False),
    "store": Field(anything, sent=False),
    "service_tier": Field(anything, sent=False),
    "safety_identifier": Field(anything, sent=False),
    "prompt_cache_key": Field(anything, sent=False),
}

# Read, built or set by the gateway, never copied from the client's body by `allowed`.
HANDLED = frozenset({"messages", "model", "stream", "stream_options", "prompt", "gateway"})

_TEMPLATE = "the chat template belongs to the model; put what you want to say into messages"
_OURS = "the gateway sets it"
_BUDGET = "it lets a request use more than it was admitted for; use max_completion_tokens"
_IDS = "the gateway speaks text, not token ids"
_STRUCTURED = "vLLM no longer has it and would ignore it; use structured_outputs or response_format"
_MEDIA = "only text is served"
_OLD = "OpenAI replaced it; use tools and tool_choice"

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("chat_template", "chat_template_kwargs", "add_generation_prompt"), _TEMPLATE),
    **dict.fromkeys(("continue_final_message", "add_special_tokens", "echo"), _TEMPLATE),
    "documents": "put documents into messages, or let gateway.retrieve find them",
    **dict.fromkeys(("priority", "request_id", "session_id", "cache_salt", "stream_interval"), _OURS),
    **dict.fromkeys(("kv_transfer_params", "ec_transfer_params", "vllm_xargs"), _OURS),
    **dict.fromkeys(("skip_special_tokens", "spaces_between_special_tokens", "watermarking"), _OURS),
    **dict.fromkeys(("truncate_prompt_tokens", "truncation_side"), "say gateway.truncate instead"),
    **dict.fromkeys(("ignore_eos", "use_beam_search", "best_of", "length_penalty"), _BUDGET),
    **dict.fromkeys(("prompt_logprobs", "logprob_token_ids"), "ask for logprobs and top_logprobs instead"),
    **dict.fromkeys(("allowed_token_ids", "prompt_embeds", "return_token_ids", "return_tokens_as_token_ids"), _IDS),
    **dict.fromkeys(("return_token_offsets", "return_prompt_text", "routed_experts_prompt_start"), _IDS),
    **dict.fromkeys(("guided_json", "guided_regex", "guided_choice", "guided_grammar"), _STRUCTURED),
    **dict.fromkeys(("guided_decoding_backend", "guided_whitespace_pattern"), _STRUCTURED),
    **dict.fromkeys(("mm_processor_kwargs", "media_io_kwargs", "mm_payload", "return_mm_kwargs"), _MEDIA),
    **dict.fromkeys(("modalities", "audio"), _MEDIA),
    **dict.fromkeys(("functions", "function_call"), _OLD),
}


def allowed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `body` to send on, checked; null counts as absent. Raises FieldError for the first wrong one."""
    checked = {}
    for name, value in body.items():
        if name in HANDLED:
            continue
        field = _field(name)
        if value is None or not field.sent:
            continue
        try:
            field.check(value)
        except ValueError as error:
            raise FieldError(name, f"{name} {error}") from None
        checked[name] = value
    return checked


def _field(name: str) -> Field:
    if field := FIELDS.get(name):
        return field
    shown = name[:64]
    if reason := REFUSED.get(name):
        raise FieldError(shown, f"{shown} is not accepted: {reason}")
    raise FieldError(shown, f"{shown} is not a field of this API; remove it or correct its spelling")

"""The fields of each endpoint that a client may set, with their bounds: what is not listed never reaches a backend.

vLLM accepts unknown fields silently and has many that cost without limit, reach into other requests or run code; each
of its fields is therefore in exactly one part of its endpoint's `Table`: `fields` (sent on, or accepted and dropped),
`handled` (the gateway sets or reads them itself) and `refused` (with what to do instead). Each bound is on one field
alone; what depends on the model, such as the context window, is checked elsewhere.

`allowed` copies: what a client sent is never passed on as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving import shapes
from serving.bounds import Check, anything, either, exactly, flag, integer, number, one_of, several, text


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


@dataclass(frozen=True, slots=True)
class Table:
    """What becomes of every field of one endpoint. `refused` says after "is not accepted:" what to do instead."""

    fields: Mapping[str, Field]
    handled: frozenset[str]
    refused: Mapping[str, str]


MAX_TOKENS = 1_000_000  # beyond any model's window; the model's own limit comes later and is smaller
MAX_DIMENSIONS = 65_536  # beyond any model's vectors
INT64 = 2**63 - 1

# Sent by OpenAI's clients for OpenAI's own bookkeeping; no engine needs them.
_HABITS: Mapping[str, Field] = dict.fromkeys(
    ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"), Field(anything, sent=False)
)

# What every generation may have.
_GENERATION: Mapping[str, Field] = {
    # How long, how many.
    "max_tokens": Field(integer(1, MAX_TOKENS)),
    "max_completion_tokens": Field(integer(1, MAX_TOKENS)),  # of chats; here one name is as good as the other
    "min_tokens": Field(integer(0, MAX_TOKENS)),
    "ignore_eos": Field(flag),  # `vllm bench serve` always sends it; the token ceiling holds all the same
    "n": Field(integer(1, 4)),  # vLLM's own bound is 16384, each a full answer
    "stop": Field(either(text(64), several(text(64), 4))),
    "stop_token_ids": Field(several(integer(0, INT64), 16)),
    "include_stop_str_in_output": Field(flag),
    "thinking_token_budget": Field(integer(0, MAX_TOKENS)),
    # How the next token is drawn.
    "temperature": Field(number(0, 2)),
    "top_p": Field(number(0, 1)),
    "top_k": Field(integer(-1, MAX_TOKENS)),
    "min_p": Field(number(0, 1)),
    "presence_penalty": Field(number(-2, 2)),
    "frequency_penalty": Field(number(-2, 2)),
    "repetition_penalty": Field(number(0.01, 2)),
    "repetition_detection": Field(shapes.repetition),
    "seed": Field(integer(-INT64 - 1, INT64)),
    "logit_bias": Field(shapes.logit_bias),
    "bad_words": Field(several(text(64), 32)),
    # What shape the answer has.
    "response_format": Field(shapes.response_format),
    "structured_outputs": Field(shapes.structured_outputs),
    **_HABITS,
}

_TEMPLATE = "the chat template belongs to the model; put what you want to say into messages"
_OURS = "the gateway sets it"
_BUDGET = "it lets a request use more than it was admitted for; set its token ceiling instead"
_IDS = "the gateway speaks text, not token ids"
_STRUCTURED = "vLLM no longer has it and would ignore it; use structured_outputs or response_format"
_MEDIA = "only text is served"
_OLD = "OpenAI replaced it; use tools and tool_choice"
_CHAT = "this endpoint takes one raw prompt; ask /v1/chat/completions"
_CUT = "nothing is cut silently; send a shorter text"

# What none may.
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("priority", "request_id", "session_id", "cache_salt", "stream_interval"), _OURS),
    **dict.fromkeys(("kv_transfer_params", "ec_transfer_params", "vllm_xargs"), _OURS),
    **dict.fromkeys(("skip_special_tokens", "spaces_between_special_tokens", "watermarking"), _OURS),
    **dict.fromkeys(("use_beam_search", "length_penalty"), _BUDGET),
    **dict.fromkeys(("prompt_logprobs", "logprob_token_ids"), "ask for logprobs instead"),
    **dict.fromkeys(("allowed_token_ids", "prompt_embeds", "return_token_ids", "return_tokens_as_token_ids"), _IDS),
    **dict.fromkeys(("return_token_offsets", "return_prompt_text", "routed_experts_prompt_start"), _IDS),
    **dict.fromkeys(("guided_json", "guided_regex", "guided_choice", "guided_grammar"), _STRUCTURED),
    **dict.fromkeys(("guided_decoding_backend", "guided_whitespace_pattern"), _STRUCTURED),
    **dict.fromkeys(("mm_processor_kwargs", "media_io_kwargs", "mm_payload", "return_mm_kwargs"), _MEDIA),
    **dict.fromkeys(("modalities", "audio"), _MEDIA),
}

CHAT = Table(
    fields={
        **_GENERATION,
        "logprobs": Field(flag),
        "top_logprobs": Field(integer(0, 20)),
        "tools": Field(several(shapes.tool, 128)),
        "tool_choice": Field(shapes.tool_choice),
        "parallel_tool_calls": Field(flag),
        "reasoning_effort": Field(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        "include_reasoning": Field(flag),
    },
    handled=frozenset({"messages", "model", "stream", "stream_options", "prompt", "gateway"}),
    refused={
        **_REFUSED,
        **dict.fromkeys(("chat_template", "chat_template_kwargs", "add_generation_prompt"), _TEMPLATE),
        **dict.fromkeys(("continue_final_message", "add_special_tokens", "echo"), _TEMPLATE),
        **dict.fromkeys(("truncate_prompt_tokens", "truncation_side"), "say gateway.truncate instead"),
        **dict.fromkeys(("functions", "function_call"), _OLD),
        "best_of": _BUDGET,
        "documents": "put documents into messages, or let gateway.retrieve find them",
    },
)

COMPLETIONS = Table(
    fields={
        **_GENERATION,
        "logprobs": Field(integer(0, 5)),  # OpenAI's bound: how many alternatives of each token are told
        # Clients send these with the values that mean nothing.
        "echo": Field(exactly(False, "the prompt is not said again; put it before the answer yourself"), sent=False),
        "best_of": Field(exactly(1, "answers that are thrown away cost as much; use n"), sent=False),
    },
    handled=frozenset({"prompt", "model", "stream", "stream_options", "gateway"}),
    refused={
        **_REFUSED,
        **dict.fromkeys(("messages", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort"), _CHAT),
        **dict.fromkeys(("truncate_prompt_tokens", "truncation_side"), _CUT),
        "add_special_tokens": "tokens are counted as the model wants them, its special ones included",
        "suffix": "the models served here write what follows, not what lies between; put it into the prompt",
        "top_logprobs": "logprobs is the number here",
    },
)

EMBEDDINGS = Table(
    fields={"dimensions": Field(integer(1, MAX_DIMENSIONS)), **_HABITS},
    handled=frozenset({"input", "model", "encoding_format", "gateway"}),
    refused={
        **dict.fromkeys(("priority", "request_id", "cache_salt"), _OURS),
        **dict.fromkeys(("truncate_prompt_tokens", "truncation_side", "padding"), _CUT),
        **dict.fromkeys(("embed_dtype", "endianness"), "vectors are float32; say encoding_format float or base64"),
        **dict.fromkeys(("use_activation", "add_special_tokens"), "vectors are made as the model wants them"),
        **dict.fromkeys(("mm_processor_kwargs", "media_io_kwargs"), _MEDIA),
        **dict.fromkeys(
            ("messages", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message"),
            "texts are embedded as they are; send input",
        ),
    },
)


def allowed(body: Mapping[str, Any], table: Table = CHAT) -> dict[str, Any]:
    """The fields of `body` to send on, checked; a known field that is null counts as absent.

    Raises FieldError for the first wrong one.
    """
    checked = {}
    for name, value in body.items():
        if name in table.handled:
            continue
        if value is None and (name in table.fields or name in table.refused):
            continue
        field = _field(name, table)
        try:
            field.check(value)
        except ValueError as error:
            raise FieldError(name, f"{name} {error}") from None
        if field.sent:
            checked[name] = value
    return checked


def _field(name: str, table: Table) -> Field:
    if field := table.fields.get(name):
        return field
    shown = name[:64]
    if reason := table.refused.get(name):
        raise FieldError(shown, f"{shown} is not accepted: {reason}")
    raise FieldError(shown, f"{shown} is not a field of this API; remove it or correct its spelling")

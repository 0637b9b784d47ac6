"""What vLLM 0.32 streams, chunk by chunk, and what it should never stream.

Every ordinary chunk has the keys of a recorded one (tests/fakes/transcripts; test_backend compares them). A chunk knows
how many tokens its choice has said by then, so that the scripted backend can count what it wrote even where the usage
in the chunk is a lie. Knows no socket.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

MODEL = "tiny"
PROMPT_TOKENS = 13
DONE = b"data: [DONE]\n\n"
_HEAD = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": MODEL}

Counts = dict[str, Any]


class Piece(bytes):
    """A chunk after which its `choice` has said `tokens` tokens, whatever it claims."""

    choice: int
    tokens: int

    @classmethod
    def of(cls, data: bytes, index: int, tokens: int) -> Self:
        made = cls(data)
        made.choice, made.tokens = index, tokens
        return made


class Lie(Piece):
    """One whose usage is false."""


def event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def usage(completion: int, prompt: int = PROMPT_TOKENS) -> Counts:
    counts = {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}
    return {**counts, "completion_tokens_details": None}


def first(index: int = 0) -> bytes:
    """The chunk with which vLLM begins each choice."""
    delta = {"role": "assistant", "content": ""}
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    chunk = {**_HEAD, "choices": [choice], "usage": usage(0), "prompt_token_ids": None, "prompt_text": None}
    return Piece.of(event(chunk), index, 0)


def piece(delta: Mapping[str, Any], completion: int, finish: str | None = None, index: int = 0) -> bytes:
    """One step of one choice; `completion` is that choice's running count."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    if finish:
        choice["stop_reason"] = None
    return Piece.of(event({**_HEAD, "choices": [choice], "usage": usage(completion)}), index, completion)


def last(completion: int, choices: int = 1) -> bytes:
    """The usage chunk of a whole answer, with what the launcher's flags add to it (no timings for several choices)."""
    details = {"cached_tokens": 0, "created_cache_tokens": 0}
    counts = {**usage(completion), "prompt_tokens_details": details}
    del counts["completion_tokens_details"]
    times = ("time_to_first_token_ms", "generation_time_ms", "queue_time_ms", "mean_itl_ms", "tokens_per_second")
    timings = {"metrics": dict.fromkeys(times, 1.0)} if choices == 1 else {}
    return event({**_HEAD, "choices": [], "usage": counts, "system_fingerprint": "vllm-fake", **timings})


def words(*texts: str, finish: str | None = None) -> tuple[bytes, ...]:
    """The chunks that say some texts, a token each; the last carries the finish reason, if given."""
    count = len(texts)
    reasons = [finish if number == count else None for number in range(1, count + 1)]
    pieces = [
        piece({"content": text}, n, reason) for n, (text, reason) in enumerate(zip(texts, reasons, strict=True), 1)
    ]
    return first(), *pieces


def said(*texts: str, finish: str = "stop") -> tuple[bytes, ...]:
    """A whole answer, as vLLM streams one whose last token has a text (cut by length, a stop word)."""
    return *words(*texts, finish=finish), last(len(texts)), DONE


def stopped(*texts: str) -> tuple[bytes, ...]:
    """A whole answer that the model itself ended: the token for that is counted and says nothing."""
    count = len(texts) + 1
    return *words(*texts), piece({}, count, "stop"), last(count), DONE


def choices(*texts: str, count: int = 2) -> tuple[bytes, ...]:
    """A whole answer of several choices (`n`) that say the same, cut by length: their chunks take turns."""
    total = len(texts)
    steps = [
        piece({"content": text}, n, "length" if n == total else None, index)
        for n, text in enumerate(texts, 1)
        for index in range(count)
    ]
    return *(first(index) for index in range(count)), *steps, last(total * count, count), DONE


def silent(finish: str = "stop") -> tuple[bytes, ...]:
    """A whole answer of one token that says nothing."""
    return first(), piece({}, 1, finish), last(1), DONE


def reasoned(*thoughts: str, finish: str = "length") -> tuple[bytes, ...]:
    """A whole answer that is reasoning alone, cut before its end unless told otherwise."""
    pieces = [piece({"reasoning": thought}, n) for n, thought in enumerate(thoughts, 1)]
    return first(), *pieces, piece({}, len(thoughts), finish), last(len(thoughts)), DONE


def called(name: str, arguments: str, finish: str = "stop") -> tuple[bytes, ...]:
    """A whole answer that calls a function; a chunk there stands for several tokens.

    vLLM 0.32 may say `tool_calls` of a call that was cut.
    """
    begun = {"id": "chatcmpl-tool-fake", "type": "function", "index": 0, "function": {"name": name}}
    rest = {"index": 0, "function": {"arguments": arguments}}
    steps = [piece({"content": None, "tool_calls": [call]}, n) for n, call in ((5, begun), (9, rest))]
    return first(), *steps, piece({}, 10, finish), last(10), DONE


def faulted(message: str, code: int = 400, param: str | None = "logit_bias") -> tuple[bytes, ...]:
    """What vLLM streams when it refuses a request after it has sent its 200."""
    return event({"error": {"message": message, "type": "BadRequestError", "param": param, "code": code}}), DONE


# False counts of completion tokens: too many, too few, absurd, below nothing, of another kind, none at all.
LIES: Mapping[str, Callable[[Counts], Any]] = {
    "more": lambda counts: counts | {"completion_tokens": counts["completion_tokens"] + 7},
    "fewer": lambda counts: counts | {"completion_tokens": counts["completion_tokens"] // 2},
    "huge": lambda counts: counts | {"completion_tokens": 10**15, "total_tokens": 10**15},
    "negative": lambda counts: counts | {"completion_tokens": -5, "prompt_tokens": -1},
    "text": lambda counts: counts | {"completion_tokens": "many"},
    "absent": lambda counts: None,
}


def lying(lie: str, steps: Iterable[bytes]) -> tuple[bytes, ...]:
    """The same chunks, with a usage of LIES in each that has one."""
    return tuple(_with(step, LIES[lie]) for step in steps)


def _with(step: bytes, lie: Callable[[Counts], Any]) -> bytes:
    if step == DONE:
        return step
    chunk = json.loads(step.removeprefix(b"data: "))
    if "usage" in chunk:
        chunk["usage"] = lie(chunk["usage"])
    return Lie.of(event(chunk), step.choice, step.tokens) if isinstance(step, Piece) else event(chunk)


def dripping(seconds: float, steps: Iterable[bytes]) -> tuple[bytes | float, ...]:
    """The same chunks, each after so many seconds."""
    return tuple(part for step in steps for part in (seconds, step))


def gzipped(steps: Iterable[bytes]) -> tuple[bytes, ...]:
    """The same answer compressed; its script needs `content-encoding: gzip`."""
    return (gzip.compress(b"".join(steps)),)


# Bytes that no stream of events may have: no JSON, cut JSON, text that is no UTF-8, a chunk of another kind.
BAD_BYTES = (b"data: nonsense\n\n", b'data: {"choices": [\n\n', b'data: {"id": "\xff\xfe"}\n\n', b"data: [1, 2]\n\n")

"""What a scripted backend answers to raw prompts, as vLLM does."""

from typing import Any

from tests.fakes.backend import DONE, MODEL, Script, Seen, event, usage
from tests.gateway.api.conftest import Gateway

PATH = "/v1/completions"
BODY: dict[str, Any] = {"model": "small", "prompt": "Once upon", "gateway": {"cache": "skip"}}
SKIP = {"gateway": {"cache": "skip"}}


def chunk(text: str, tokens: int, finish: str | None = None, index: int = 0, logprobs: Any = None) -> bytes:
    """One step of one choice as vLLM 0.32 streams it; `tokens` is the choice's running count."""
    choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish, "stop_reason": None}
    return event(framed([{**choice, "prompt_token_ids": None, "token_ids": None}], usage(tokens)))


def framed(choices: list[Any], counts: dict[str, Any]) -> dict[str, Any]:
    frame = {"id": "cmpl-fake", "object": "text_completion", "created": 1_790_000_000, "model": MODEL}
    return {**frame, "choices": choices, "usage": counts}


def told(*texts: str, finish: str = "stop", count: int = 1) -> tuple[bytes, ...]:
    """A whole answer of `count` choices that take turns to say the same, a token each."""
    total = len(texts)
    steps = [
        chunk(text, n, finish if n == total else None, index)
        for n, text in enumerate(texts, 1)
        for index in range(count)
    ]
    return *steps, event(framed([], usage(total * count))), DONE


def plan(gateway: Gateway, *scripts: tuple[bytes, ...]) -> None:
    """What the scripted backend answers to completions, in turn; the last one to all that follow."""
    waiting = list(scripts)

    async def answer(seen: Seen) -> Script:
        return Script(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    gateway.fake.answers[PATH] = answer


def sent(gateway: Gateway) -> Seen:
    """The completion that last reached the backend."""
    return [seen for seen in gateway.fake.requests if seen.path == PATH][-1]

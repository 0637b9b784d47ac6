"""What it costs to cut a prompt: how often it is counted, and how long that takes, by the bundled model's own files.

    python -m benchmarks.truncation [--tokens 100000]

A conversation of so many tokens (turns of some 400) is cut to windows of a half, a quarter and an eighth of it, from
either place, and once more with nine tenths of it in the last question. Wall and processor time of this process, the
best of three; `count` is one count of the whole conversation, for comparison.
"""

import argparse
import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, cast

from gateway.exchange import Format, Message, Parts, Prompt
from gateway.exchange.call import Truncate as Rule
from gateway.models import Model
from gateway.stages.preflight import Preflight, request
from gateway.stages.truncate import Sized, Truncate
from serving.pool import Pool
from serving.tokens import LocalTokens
from tests.gateway.calls import call

ROOT = Path(__file__).parents[1]
TEXTS = [path.read_text() for path in sorted((ROOT / "documents").glob("*.md"))]
ANSWER = 512  # tokens
TURN = 800  # characters of each message


def conversation(tokens: int, last: float) -> tuple[Message, ...]:
    """About so many tokens, that share of them in what is asked now."""
    rng, text = random.Random(tokens), " ".join(TEXTS)

    def said(characters: int) -> str:
        begin = rng.randrange(len(text))
        return (text[begin:] + text * (1 + characters // len(text)))[:characters]

    past = int(4 * tokens * (1 - last) / (2 * TURN))
    turns = [{"role": role, "content": said(TURN)} for _ in range(past) for role in ("user", "assistant")]
    return (
        {"role": "system", "content": "Be kind."},
        *turns,
        {"role": "user", "content": said(int(4 * tokens * last))},
    )


def prompt(messages: tuple[Message, ...]) -> Prompt:
    return Prompt(
        model="small", messages=messages, fields={}, template=None, question=None, format=Format(), retrieve=None,
        on_stop={}, mode="strict", cache="off", parts=Parts(messages),
    )  # fmt: skip


def timed(step: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float, float]:
    """What it gives, and the least wall and processor milliseconds of three."""
    took = []
    for _ in range(3):
        wall, processor = perf_counter(), process_time()
        found = asyncio.run(step())
        took.append(((perf_counter() - wall) * 1000, (process_time() - processor) * 1000))
    return found, min(wall for wall, _ in took), min(processor for _, processor in took)


def cut(messages: tuple[Message, ...], rule: Rule, window: int, tokens: LocalTokens) -> str:
    models = {"small": Model("small", "tiny", Pool([]), tokens, window, ANSWER)}
    truncate, asked = Truncate(models, Preflight(models, 1).count), call(messages=messages, truncate=rule)
    found, wall, processor = timed(lambda: truncate(asked, prompt(messages)))
    sized = cast(Sized, found)
    assert sized.input is not None
    used = sized.input.tokens / (window - ANSWER)
    return f"{sized.counts} counts, {wall:6.0f} ms, processor {processor:6.0f} ms, {100 * used:.1f}% of the room"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, default=100_000)
    asked, tokens = parser.parse_args().tokens, LocalTokens.load(ROOT / "serving/tiny/model")
    for name, last in (("a conversation", 0.01), ("one long question", 0.9)):
        messages = conversation(asked, last)
        whole, wall, processor = timed(lambda messages=messages: tokens.count(request(prompt(messages))))  # type: ignore[misc]
        print(f"{name}: {whole.tokens} tokens in {len(messages)} messages")
        print(f"  count            {wall:6.0f} ms, processor {processor:6.0f} ms")
        for rule, part in (("oldest", 2), ("oldest", 4), ("middle", 4), ("middle", 8)):
            if last < 0.5 or rule == "middle":
                print(f"  {rule}, 1/{part}      {cut(messages, cast(Rule, rule), whole.tokens // part, tokens)}")


if __name__ == "__main__":
    main()

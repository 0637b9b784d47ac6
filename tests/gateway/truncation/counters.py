"""Vocabularies of three kinds under the bundled model's chat template, and random conversations to count with them."""

import random
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from serving import vocabulary
from serving.template import Templates
from serving.tokens import LocalTokens

TINY = Path(__file__).parents[3] / "serving/tiny/model"
KINDS = ("own", "small", "characters")
WORDS = ["the", "cat", "sat", "on", "seven", "naïve", "ships", "12,345", "waves", "and", "日本", "away", "👩‍👧", "code"]


@cache
def counter(kind: str) -> LocalTokens:
    """The bundled model's own; a small BPE; and one of bytes."""
    own = LocalTokens.load(TINY)
    if kind == "own":
        return own
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700 if kind == "small" else 256,
        special_tokens=sorted(own.control.tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    return LocalTokens(vocabulary.Library(tokenizer), Templates.load(TINY))


def said(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def conversation(rng: random.Random, turns: int = 12) -> tuple[dict[str, Any], ...]:
    """A random one: instructions, turns with and without tools and further instructions, and what is asked now."""
    messages = [{"role": "system", "content": said(rng, rng.randrange(1, 30))}]
    for number in range(rng.randrange(turns)):
        messages.append({"role": "user", "content": said(rng, rng.randrange(1, 400))})
        if rng.random() < 0.2:
            messages += looked_up(f"call-{number}", said(rng, rng.randrange(1, 400)))
        if rng.random() < 0.2:
            messages.append({"role": "assistant", "content": said(rng, 3)})
            messages.append({"role": "system", "content": said(rng, 3)})
        messages.append({"role": "assistant", "content": said(rng, rng.randrange(1, 400))})
    return (*messages, {"role": "user", "content": said(rng, rng.randrange(1, 900))})


def looked_up(id: str, found: str) -> list[dict[str, Any]]:
    """A tool's call and what it said."""
    call = {"id": id, "type": "function", "function": {"name": "find", "arguments": '{"what": "ships"}'}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id, "content": found},
    ]

"""fitting: what comes out fits, is counted as a whole, and leaves little room empty; on vocabularies and templates of
several kinds."""

import asyncio
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from gateway.truncation import Cut, How, fitted
from gateway.truncation.shortening import MARK
from gateway.truncation.turns import Message, past
from serving import vocabulary
from serving.template import Templates
from serving.tokens import LocalTokens

ROOT = Path(__file__).parents[3]
TINY = ROOT / "serving/tiny/model"
WORDS = ["the", "cat", "sat", "on", "seven", "naïve", "ships", "12,345", "waves", "and", "日本", "away", "👩‍👧", "code"]


@cache
def counter(kind: str) -> LocalTokens:
    """The bundled model's own; a small BPE and one of characters, each under the same chat template."""
    own = LocalTokens.load(TINY)
    if kind == "own":
        return own
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700 if kind == "small" else 256,
        special_tokens=sorted(own.control.tokens),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    return LocalTokens(vocabulary.Library(tokenizer), Templates.load(TINY))


def said(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def conversation(rng: random.Random) -> list[dict[str, Any]]:
    """A random one: instructions, turns with and without tools, and what is asked now."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": said(rng, rng.randrange(1, 30))}]
    for _ in range(rng.randrange(0, 12)):
        messages.append({"role": "user", "content": said(rng, rng.randrange(1, 400))})
        if rng.random() < 0.2:
            messages.append({"role": "assistant", "content": said(rng, 3)})
            messages.append({"role": "system", "content": said(rng, 3)})
        messages.append({"role": "assistant", "content": said(rng, rng.randrange(1, 400))})
    return [*messages, {"role": "user", "content": said(rng, rng.randrange(1, 900))}]


def cut(messages: Sequence[Message], how: How, room: int, kind: str = "own", last: bool = True) -> Cut | None:
    async def count(tried: Sequence[Message]) -> int:
        return (await counter(kind).count({"messages": [dict(one) for one in tried]})).tokens

    return asyncio.run(fitted(messages, how, count, room, last))


def length(messages: Sequence[Message], kind: str) -> int:
    return asyncio.run(counter(kind).count({"messages": [dict(one) for one in messages]})).tokens


def proven(seeds: range, kind: str) -> None:
    """Random conversations in random rooms: always within, and nearly all of the room used where anything was cut."""
    for seed in seeds:
        rng = random.Random(seed)
        messages, how = conversation(rng), rng.choice(("oldest", "middle"))
        whole = length(messages, kind)
        least = length([one for one in messages if one["role"] == "system"] + [messages[-1] | {"content": MARK}], kind)
        room = rng.randrange(least + 1200, max(whole, least + 1200) + 40)
        found = cut(messages, how, room, kind)
        assert found is not None, seed
        assert found.tokens == length(found.messages, kind) <= room, seed
        if found.tokens == whole:
            assert list(found.messages) == messages
        else:
            assert found.tokens >= 0.95 * room, (seed, how, found.tokens, room)
        assert [one for one in found.messages if one["role"] == "system"] == [
            one for one in messages if one["role"] == "system"
        ]


@pytest.mark.parametrize("kind", ["own", "small", "characters"])
def test_what_comes_out_fits_and_leaves_little_room_empty(kind: str) -> None:
    proven(range(40), kind)


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["own", "small", "characters"])
def test_two_thousand_conversations_fit(kind: str) -> None:
    proven(range(2000), kind)


SHORT = [{"role": "user" if at % 2 == 0 else "assistant", "content": f"{at} " + "word " * 40} for at in range(9)]


def names(found: Cut | None) -> list[str]:
    assert found
    return [str(one["content"]).split()[0] for one in found.messages if MARK not in str(one["content"])]


def test_the_oldest_turns_go_first_and_what_is_asked_stays() -> None:
    room = length(SHORT[4:], "own")
    assert names(cut(SHORT, "oldest", room)) == ["4", "5", "6", "7", "8"]


def test_from_the_middle_the_first_turn_goes_last() -> None:
    room = length([*SHORT[:2], *SHORT[6:]], "own")
    assert names(cut(SHORT, "middle", room)) == ["0", "1", "6", "7", "8"]


def test_of_the_turn_that_just_does_not_fit_a_part_stays() -> None:
    room = length(SHORT[4:], "own") + 50
    found = cut(SHORT, "oldest", room)
    assert found
    assert (found.left_out, found.shortened) == (2, 2)
    assert str(found.messages[0]["content"]).startswith(MARK)
    assert str(SHORT[2]["content"]).endswith(str(found.messages[0]["content"]).removeprefix(MARK))


def test_what_is_asked_is_shortened_only_where_that_is_wanted() -> None:
    long = [{"role": "user", "content": "begin " + "word " * 400 + "end"}]
    assert cut(long, "middle", 100, last=False) is None
    found = cut(long, "middle", 100)
    assert found
    text = str(found.messages[0]["content"])
    assert text.startswith("begin ")
    assert text.endswith("end")
    assert cut(long, "middle", 5) is None


def test_tools_and_their_answers_go_together() -> None:
    turn = [
        {"role": "user", "content": "look " * 30},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "found " * 30},
        {"role": "assistant", "content": "so " * 30},
    ]
    assert past([*turn, *SHORT[:1]]) == [(0, 1, 2, 3)]
    found = cut([*turn, *SHORT], "oldest", length(SHORT, "own") + 40)
    assert found
    assert list(found.messages) == SHORT

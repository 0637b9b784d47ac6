"""Whether two answers say the same, with the real embedder."""

import asyncio
import string
from collections.abc import Iterator
from itertools import product

import pytest

from gateway.caching.agreement import Agreement, equal
from retrieval.embed import Embedder
from serving.events import Choice, Completion, Start

WORDS = ["z" + "".join(letters) for letters in product("bdfgklmprst", "aeiou", string.ascii_lowercase[2:], "ae")]


@pytest.fixture(scope="module")
def agreement() -> Iterator[Agreement]:
    embedder = Embedder()
    yield Agreement(embedder)
    embedder.close()


def answer(text: str) -> Completion:
    return Completion(Start("id", 1, "small"), (Choice(0, {"role": "assistant", "content": text}, "stop"),), None)


def same(agreement: Agreement, one: str, other: str) -> bool | None:
    found = [asyncio.run(agreement.same(answer(a), answer(b))) for a, b in ((one, other), (other, one))]
    assert found[0] is found[1]
    return found[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The mean outside is -5 degrees now.", "The mean outside is 5 degrees now."),
        ("You should best use C++ for this.", "You should best use C# for this."),
        ("Write it as a != b, please.", "Write it as a = b, please."),
        ("It costs 5 $ a month.", "It costs 5 € a month."),
        ("-5", "5"),
        ("C++", "C#"),
        ('{"done": true}', '{"done": 1}'),
    ],
)
def test_a_sign_that_means_something_is_no_detail(agreement: Agreement, one: str, other: str) -> None:
    assert same(agreement, one, other) is not True
    assert not equal(answer(one), answer(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes.", "yes"),
        ("It's kept: for an hour, that is.", "It is kept for an hour; that is."),
        ("It holds keys [1] and values [2].", "It holds keys [3] and values [1]."),
        ('{"a": 1, "b": [2]}', '{ "b": [2], "a": 1 }'),
    ],
)
def test_pauses_case_and_the_numbers_of_passages_are(agreement: Agreement, one: str, other: str) -> None:
    assert same(agreement, one, other) is True


def test_of_long_answers_nobody_waits_for_the_comparison(agreement: Agreement) -> None:
    """Two of 1,300 words each, none in common: every word with every other would be seconds of the event loop."""
    halves = " ".join(WORDS[:1300]), " ".join(WORDS[1300:2600])

    async def run() -> tuple[bool | None, int]:
        turns, comparing = 0, asyncio.create_task(agreement.same(*map(answer, halves)))
        while not comparing.done():
            await asyncio.sleep(0.001)
            turns += 1
        return await comparing, turns

    told, turns = asyncio.run(run())
    assert told is None
    assert turns > 2

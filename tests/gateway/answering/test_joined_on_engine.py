"""Parts on a real vLLM: an answer made in pieces is the answer made at once, wherever its characters are cut.

bfloat16 leaves ties: the logits after a token that was read and after one that was just written differ in their last
bits, and where two tokens are as likely as each other, the same request is not always answered the same either. So
answers are compared where the engine is decided at every step.
"""

import asyncio
import itertools
from typing import Any

import pytest
from tokenizers import Tokenizer

from gateway.answering.begun import Begun
from gateway.answering.joined import Joined
from gateway.stages.route import Route
from serving.backend import Backend
from serving.events import Completion
from tests.conftest import TINY_MODEL
from tests.gateway.answering.asked import questions
from tests.gateway.answering.parts import joined, packed, read, routed, streamed, text
from tests.gateway.calls import call

WHOLE = 80  # tokens; what the pieces below make together
DECIDED = 0.5  # the least difference of the two best logprobs: eight times what a bfloat16 of 8 to 16 can tell
AT_ONCE = 4
SHORT = 5  # tokens of a piece that often ends at a blank, where text is read as other tokens than were written


async def compared(route: Route, piece: int, messages: tuple[dict[str, Any], ...]) -> tuple[str, str] | None:
    """An answer made at once, and in pieces; None where the engine is not decided."""
    fields: dict[str, Any] = {"messages": messages, "temperature": 0}
    whole, _ = await read(route(call(), packed(**fields, logprobs=True, top_logprobs=2), WHOLE))
    if not decided(whole):
        return None
    pieces, events = await read(joined(Joined(route), packed(**fields), piece, WHOLE // piece - 1))
    assert streamed(events) == text(pieces)
    return text(whole), text(pieces)


def decided(answer: Completion) -> bool:
    tops = [token["top_logprobs"] for token in answer.choices[0].logprobs["content"]]
    return all(best["logprob"] - other["logprob"] >= DECIDED for best, other in tops)


async def assert_equal(engine: str, count: int, piece: int) -> None:
    """So many answers are the same made at once and in pieces of so many tokens."""
    found: list[tuple[str, str]] = []
    drawn = questions(seed=4)
    async with routed(engine) as route:
        while len(found) < count:
            some = [compared(route, piece, messages) for messages in itertools.islice(drawn, AT_ONCE)]
            found += filter(None, await asyncio.gather(*some))
    assert [pair for pair in found if pair[0] != pair[1]] == []


def test_answers_made_in_pieces_are_those_made_at_once(engine: str) -> None:
    asyncio.run(assert_equal(engine, 12, SHORT))


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("piece", [16, SHORT])
def test_two_hundred_answers_made_in_pieces_are_those_made_at_once(engine: str, piece: int) -> None:
    asyncio.run(assert_equal(engine, 200, piece))


class Recording(Route):
    """Remembers every seam: what there was, and what of it is gone on from."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seams: list[tuple[Begun, Begun]] = []

    async def shown(self, begun: Begun) -> Begun:
        kept = await super().shown(begun)
        self.seams.append((begun, kept))
        return kept


def test_a_character_that_is_cut_is_said_once_and_the_prompt_never(engine: str) -> None:
    """Bytes of Cyrillic letters, drawn at random: what was said is what the tokens that are gone on from stand for."""
    letters = Tokenizer.from_file(str(TINY_MODEL / "tokenizer.json")).encode("смжу").ids
    asked: dict[str, Any] = {"temperature": 1.0, "logit_bias": {str(id): 100 for id in letters}}

    async def run() -> list[tuple[Begun, Begun]]:
        backend, seams = Backend("engine", engine), list[tuple[Begun, Begun]]()
        async with routed(engine, kind=Recording) as route:
            for seed in range(16):
                await read(joined(Joined(route), packed(seed=seed, **asked), 3 + seed % 3, 8))
                whole = [(begun, kept) for begun, kept in route.seams if kept.ids]
                for begun, kept in whole:
                    said = [*kept.prompt, *kept.ids][len(whole[0][0].prompt) :]
                    assert await backend.detokenize("tiny", said) == begun.text
                seams += whole
                route.seams.clear()
        await backend.aclose()
        return seams

    seams = asyncio.run(run())
    assert any(len(kept.ids) < len(begun.ids) for begun, kept in seams)

"""recorded: an answer stands for the very prompt that it was given to."""

import asyncio
from dataclasses import replace

import pytest

from gateway.workbench.asking import Question, Said, Unanswered
from gateway.workbench.cases import CasesError
from gateway.workbench.recorded import Recorded, Recording
from serving.events import Usage

ASKED = Question("small", [{"role": "user", "content": "Why?"}], {"temperature": 0, "seed": 1})


class Answering:
    async def ask(self, question: Question) -> Said:
        return Said(f"Because {question.alias}.", "stop", Usage(3, 4), 7, 0.5, ({"function": {"name": "f"}},))


def recorded() -> Recorded:
    recording = Recording(Answering())
    asyncio.run(recording.ask(ASKED))
    return Recorded("t", recording.written())


def test_what_was_asked_is_answered_as_then_again_and_again() -> None:
    kept = recorded()
    for _ in range(2):
        assert asyncio.run(kept.ask(ASKED)) == asyncio.run(Answering().ask(ASKED))


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, alias="large"),
        replace(ASKED, messages=[{"role": "user", "content": "Why"}]),
        replace(ASKED, fields={"temperature": 0, "seed": 2}),
    ],
)
def test_nothing_else_is(other: Question) -> None:
    with pytest.raises(Unanswered, match="--record"):
        asyncio.run(recorded().ask(other))


@pytest.mark.parametrize("data", [b'{"asked": "a"}\n', b"[]", b"{", b"1"])
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(CasesError, match="no recorded answers"):
        Recorded("t", data)

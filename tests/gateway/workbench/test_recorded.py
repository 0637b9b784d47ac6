"""recorded: an answer stands for the very prompt that it was given to."""

import asyncio
from pathlib import Path

import pytest

from gateway.workbench.asking import Said
from gateway.workbench.recorded import NotRecorded, Recorded, Recording
from serving.events import Usage

ASKED = ("small", [{"role": "user", "content": "Why?"}], {"temperature": 0, "seed": 1})


async def answer(alias: str, messages: object, fields: object) -> Said:
    return Said(f"Because {alias}.", "stop", Usage(3, 4), 7, 0.5)


def recorded(folder: Path) -> Recorded:
    recording = Recording(answer, folder / "t.recorded.jsonl")
    asyncio.run(recording.ask(*ASKED))
    recording.write()
    return Recorded(folder / "t.recorded.jsonl")


def test_what_was_asked_is_answered_as_then_again_and_again(tmp_path: Path) -> None:
    kept = recorded(tmp_path)
    for _ in range(2):
        assert asyncio.run(kept.ask(*ASKED)) == asyncio.run(answer(*ASKED))


@pytest.mark.parametrize(
    "other",
    [
        ("large", ASKED[1], ASKED[2]),
        ("small", [{"role": "user", "content": "Why"}], ASKED[2]),
        ("small", ASKED[1], {"temperature": 0, "seed": 2}),
    ],
)
def test_nothing_else_is(tmp_path: Path, other: tuple[str, list[dict[str, str]], dict[str, int]]) -> None:
    with pytest.raises(NotRecorded, match="--record"):
        asyncio.run(recorded(tmp_path).ask(*other))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.recorded.jsonl").write_text('{"asked": "a"}\n')
    with pytest.raises(NotRecorded, match="no recorded answers"):
        Recorded(tmp_path / "t.recorded.jsonl")

"""A backend's usage is believed as long as it is possible; else what was said is counted."""

from typing import Any

import pytest

from gateway.tally import Tally
from serving.events import Delta, Deltas, End, Start, Stop, Usage
from serving.tokens import EstimateTokens

TEXT = {"content": "four bytes a token: 24."}
COUNTED = EstimateTokens().text(TEXT["content"])
END = End((Stop(0, "stop"),), None)


def tally(most: int = 50) -> Tally:
    return Tally(EstimateTokens(), window=100, prompt=13, most=most)


def said(usage: Usage | None = None, **delta: Any) -> Deltas:
    return Deltas((Delta(0, delta or TEXT),), usage)


def test_what_the_engine_says_is_passed_on() -> None:
    count = tally()
    for usage in (Usage(13, 1), Usage(13, 2, cached_tokens=5, reasoning_tokens=1), Usage(1, 2), Usage(100, 50)):
        assert count.told(said(usage)) == said(usage)
    assert count.told(Start("id", 1, "m", None)) == Start("id", 1, "m", None)
    assert count.source == "engine"


@pytest.mark.parametrize(
    "impossible",
    [
        None,
        Usage(13, 0),  # although it said something
        Usage(0, 5),
        Usage(-13, 5),
        Usage(13, -5),
        Usage(13, 5, cached_tokens=-1),
        Usage(13, 5, reasoning_tokens=-1),
        Usage(101, 5),  # more than the window
        Usage(13, 51),  # more than the ceiling
    ],
)
def test_what_cannot_be_is_counted(impossible: Usage | None) -> None:
    count = tally()
    assert count.told(said(impossible)) == said(Usage(13, COUNTED))
    assert count.source == "counted"


def test_counts_go_on_from_what_was_last_believed_and_never_back() -> None:
    count = tally()
    count.told(said(Usage(12, 20)))
    for event in (said(Usage(12, 3)), said()):
        count.told(event)
    end = count.told(END)
    assert isinstance(end, End)
    assert end.usage == Usage(12, 20 + 2 * COUNTED)


def test_all_that_came_together_is_counted() -> None:
    told = tally().told(Deltas((Delta(0, TEXT), Delta(1, TEXT))))
    assert told == Deltas((Delta(0, TEXT), Delta(1, TEXT)), Usage(13, 2 * COUNTED))


def test_our_own_count_keeps_to_the_ceiling_too() -> None:
    count = tally(most=4)
    for _ in range(3):
        count.told(said())
    end = count.told(END)
    assert isinstance(end, End)
    assert end.usage == Usage(13, 4)


def test_reasoning_and_arguments_are_counted_and_roles_are_not() -> None:
    count = tally()
    count.told(said(role="assistant", reasoning_content=TEXT["content"]))
    count.told(said(tool_calls=[{"function": {"name": "f", "arguments": TEXT["content"]}}]))
    end = count.told(END)
    assert isinstance(end, End)
    assert end.usage == Usage(13, 2 * COUNTED + EstimateTokens().text("f"))

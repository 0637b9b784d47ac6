"""The values of an answer: usage that is kept within what can be."""

import pytest

from serving.events import Delta, Deltas, End, Fold, Start, Stop, Usage

MOST = Usage(100, 50)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Usage(13, 5, 2, 1), Usage(13, 5, 2, 1)),
        (Usage(100, 50, 100, 50), Usage(100, 50, 100, 50)),
        (Usage(101, 51), Usage(100, 50)),
        (Usage(-1, -1, -1, -1), Usage()),
        (Usage(10, 5, 11, 6), Usage(10, 5, 10, 5)),  # a part is never more than its whole
    ],
)
def test_no_count_is_kept_below_nothing_or_above_the_most(told: Usage, kept: Usage) -> None:
    assert told.within(MOST) == kept


def test_what_changes_its_kind_is_the_last_that_was_said() -> None:
    """A name that this module does not know, from a server that is no vLLM."""
    fold = Fold()
    fold.add(Start("c", 7, "m"))
    for said in ({"a": 1}, "b", "c"):
        fold.add(Deltas((Delta(0, {"x": said}),)))
    fold.add(End((Stop(0, "stop"),)))
    assert fold.completion().choices[0].message["x"] == "bc"

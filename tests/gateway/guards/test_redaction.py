"""What is left of a text: the same whole and in pieces, whatever overlaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Finding
from gateway.guards.redaction import Sweep, redacted

TEXT = "0123456789"


def of(*spans: tuple[int, int]) -> list[Finding]:
    return [Finding(start, end, "ABC"[at % 3], f"[{'ABC'[at % 3]}]") for at, (start, end) in enumerate(spans)]


@pytest.mark.parametrize(
    ("findings", "left"),
    [
        ([], "0123456789"),
        (of((2, 4)), "01[A]456789"),
        (of((0, 10)), "[A]"),
        (of((2, 4), (4, 6)), "01[A][B]6789"),
        (of((2, 6), (4, 8)), "01[A]89"),  # what overlaps is one
        (of((4, 8), (2, 6)), "01[B]89"),  # whatever order they come in
        (of((2, 4), (2, 8)), "01[B]89"),  # of two that begin there, the longer
        (of((2, 8), (3, 4)), "01[A]89"),
    ],
)
def test_what_is_found_is_replaced(findings: list[Finding], left: str) -> None:
    assert redacted(TEXT, findings) == left
    assert redacted(TEXT, findings[::-1]) == left


spans = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda s: s[0] < s[1]), max_size=5)


@given(spans, st.lists(st.integers(0, 10)).map(sorted))
def test_piece_by_piece_it_is_the_same(found: list[tuple[int, int]], stops: list[int]) -> None:
    findings, sweep, shown, before = of(*found), Sweep(), "", 0
    for stop in [*stops, len(TEXT)]:
        now = [one for one in findings if before <= one.start < stop]
        parts = sweep.to(stop, now)
        shown += "".join(TEXT[start:end] if instead is None else instead for start, end, instead in parts)
        before = max(before, stop)
    assert shown == redacted(TEXT, findings)


def test_of_what_begins_in_text_that_is_out_only_the_rest_goes() -> None:
    sweep = Sweep()
    assert list(sweep.to(5, [])) == [(0, 5, None)]
    assert list(sweep.to(10, of((3, 7)))) == [(5, 5, "[A]"), (7, 10, None)]

"""Tool calls that an engine mixes, one after another."""

from collections.abc import Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.anthropic.calls import Fragment, InTurn, arguments, number


def fragment(call: int, text: str) -> Fragment:
    return {"index": call, "function": {"arguments": text}}


def said(*fragments: Fragment) -> list[list[tuple[int, str]]]:
    """What each fragment lets be said, and last what the end does."""
    calls = InTurn()
    steps = [list(calls.add(one)) for one in fragments]
    return [[(number(one), arguments(one)) for one in step] for step in [*steps, list(calls.rest())]]


def test_one_call_after_another_waits_for_nothing() -> None:
    assert said(fragment(0, '{"a":'), fragment(0, "1}"), fragment(1, "{"), fragment(1, "}")) == [
        [(0, '{"a":')],
        [(0, "1}")],
        [(1, "{")],
        [(1, "}")],
        [],
    ]


def test_a_call_waits_for_the_one_before_it() -> None:
    assert said(fragment(0, ""), fragment(1, "{"), fragment(0, "{"), fragment(1, "}"), fragment(0, "}")) == [
        [(0, "")],
        [],
        [(0, "{")],
        [],
        [(0, "}"), (1, "{"), (1, "}")],
        [],
    ]


def test_a_call_that_is_never_whole_holds_the_others_until_the_end() -> None:
    assert said(fragment(0, '{"a'), fragment(1, "{}"), fragment(2, '{"b')) == [
        [(0, '{"a')],
        [],
        [],
        [(1, "{}"), (2, '{"b')],
    ]


def test_blanks_after_a_whole_call_are_dropped() -> None:
    assert said(fragment(0, "{}"), fragment(1, "{"), fragment(0, "\n"), fragment(1, "}")) == [
        [(0, "{}")],
        [(1, "{")],
        [],
        [(1, "}")],
        [],
    ]


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[str], list[Fragment]]:
    """The arguments of some calls, and their fragments as an engine that takes turns says them."""
    texts = draw(st.lists(st.text(max_size=5).map(lambda text: orjson.dumps({"a": text}).decode()), max_size=4))
    cuts = [draw(st.integers(1, 3)) for _ in texts]
    turns = draw(st.permutations([call for call, text in enumerate(texts) for _ in range(0, len(text), cuts[call])]))
    begun = [0] * len(texts)
    fragments = []
    for call in turns:
        fragments.append(fragment(call, texts[call][begun[call] : begun[call] + cuts[call]]))
        begun[call] += cuts[call]
    return texts, fragments


@given(mixed())
def test_calls_come_whole_and_one_at_a_time(given: tuple[list[str], Sequence[Fragment]]) -> None:
    texts, fragments = given
    parts = [part for step in said(*fragments) for part in step]
    order = list(dict.fromkeys(map(number, fragments)))
    assert parts == sorted(parts, key=lambda part: order.index(part[0]))
    assert ["".join(text for of, text in parts if of == call) for call in range(len(texts))] == texts

"""What of its attempts an answer shows, and the usage that goes out with it."""

from collections.abc import Iterable

import pytest

from gateway.answering.outlet import Outlet
from gateway.exchange import Mode
from serving.events import Choice, Completion, Delta, Deltas, End, Event, Start, Stop, Usage

START = Start("a", 1, "tiny")


def attempt(*texts: str) -> list[Event]:
    pieces = [Deltas((Delta(0, {"content": text}),), Usage(10, n)) for n, text in enumerate(texts, 1)]
    return [START, *pieces, End((Stop(0, "stop"),), Usage(10, len(texts)))]


def taken(outlet: Outlet, events: Iterable[Event]) -> list[Event]:
    return [out for event in events if (out := outlet.take(event)) is not None]


def shown(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Deltas))


def test_in_verdict_mode_each_piece_goes_out_at_once_and_is_not_copied() -> None:
    outlet, events = Outlet("verdict"), attempt("a", "b")
    assert [id(out) for out in taken(outlet, events)][:3] == [id(event) for event in events][:3]
    assert outlet.said
    assert list(outlet.given(None)) == events[-1:]


def test_in_strict_mode_nothing_but_what_is_used_goes_out() -> None:
    outlet, events = Outlet("strict"), attempt("a", "b")
    out = taken(outlet, events)
    assert shown(out) == ""
    assert [event.usage for event in out if isinstance(event, Deltas)] == [Usage(10, 1), Usage(10, 2), Usage(10, 2)]
    assert not outlet.said
    assert list(outlet.given(None)) == events


@pytest.mark.parametrize("mode", ["verdict", "strict"])
def test_one_start_and_one_end_with_the_usage_of_all(mode: Mode) -> None:
    outlet = Outlet(mode)
    out = taken(outlet, [START, End((Stop(0, "stop"),), Usage(10, 1))])
    outlet.anew(Usage(10, 1))
    out += taken(outlet, attempt("b"))
    out += outlet.given(None)
    assert sum(isinstance(event, Start) for event in out) == 1
    assert [event.usage for event in out if isinstance(event, End)] == [Usage(20, 2)]
    assert shown(out) == "b"
    usages = [event.usage.total_tokens for event in out if isinstance(event, Deltas) and event.usage]
    assert usages == sorted(usages) or mode == "strict"  # what was held is said again, and nothing is given back


def test_a_repaired_answer_is_said_in_its_own_words() -> None:
    outlet, events = Outlet("strict"), attempt("```", "{}", "```")
    taken(outlet, events)
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "{}", "tool_calls": [call]}
    out = list(outlet.given(Completion(START, (Choice(0, message, "stop"),), Usage(10, 3))))
    assert (out[0], out[-1]) == (events[0], events[-1])
    (said,) = (event for event in out if isinstance(event, Deltas))
    assert said.pieces[0].delta == {"content": "{}", "tool_calls": [{"index": 0, **call}]}


def test_the_whole_answer_has_the_usage_of_all_attempts() -> None:
    outlet, answer = Outlet("strict"), Completion(START, (), Usage(10, 3))
    assert outlet.whole(answer) is answer
    outlet.anew(Usage(10, 1))
    assert outlet.whole(answer).usage == Usage(20, 4)

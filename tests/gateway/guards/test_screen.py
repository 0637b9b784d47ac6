"""An answer under its guards, as events: choices, reasoning, tool calls, logprobs."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ContentFilter, Unready
from gateway.guards.asking import Watch
from gateway.guards.screen import Screen
from serving.events import Completion, Delta, Deltas, End, Fold, Start, Stop, Usage
from tests.gateway.calls import call
from tests.gateway.guards.scripted import Pure, Whole, everywhere, remote, watch
from tests.gateway.guards.test_asking import broken

TOOLS = {"tools": [{"type": "function", "function": {"name": "send"}}]}
ARGUMENTS = json.dumps({"to": 'a"secret"b', "n": [1, {"secret": None}]}).replace("secret", "\\u0073ecret")
PIECES = [
    Delta(0, {"role": "assistant", "reasoning": "the secret is out; "}),
    Delta(1, {"content": "no "}),
    Delta(0, {"reasoning": "so"}),
    Delta(0, {"content": "A secret. "}),
    Delta(1, {"content": "secrets"}),
    Delta(
        0, {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "send", "arguments": ""}}]}
    ),
    Delta(0, {"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS}}]}),
    Delta(0, {"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "secret"}}]}),
    Delta(0, {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}),
]


def pure(action: Any = "redact") -> Watch:
    return watch(Pure("secret", reach=6), action)


async def screened(watches: Sequence[Watch], pieces: Sequence[Delta], **asked: Any) -> tuple[list[Deltas], Screen]:
    screen = Screen(watches, call(fields=TOOLS), **{"structured": False, **asked})
    shown = [await screen.shown(Deltas((piece,), Usage(1, n))) for n, piece in enumerate(pieces, 1)]
    return [*shown, await screen.rest()], screen


def folded(events: Sequence[Deltas]) -> Completion:
    fold = Fold()
    fold.add(Start("1", 1, "m"))
    for event in events:
        fold.add(event)
    fold.add(End((Stop(0, "stop"), Stop(1, "stop"))))
    return fold.completion()


def shown(watches: Sequence[Watch], pieces: Sequence[Delta], **asked: Any) -> list[dict[str, Any]]:
    """The choices' messages."""
    events, _ = asyncio.run(screened(watches, pieces, **asked))
    return [dict(choice.message) for choice in folded(events).choices]


def test_each_text_of_each_choice_is_redacted() -> None:
    one, other = shown([pure()], PIECES)
    assert (one["reasoning"], one["content"]) == ("the [X] is out; so", "A [X]. ")
    assert other["content"] == "no [X]s"
    send, unknown = (called["function"] for called in one["tool_calls"])
    assert (send["name"], json.loads(send["arguments"])) == ("send", {"to": 'a"[X]"b', "n": [1, {"[X]": None}]})
    assert unknown == {"name": "[X]", "arguments": "{}"}
    assert [called["id"] for called in one["tool_calls"]] == ["c1", "c2"]


def test_without_findings_it_is_what_was_said() -> None:
    plain = folded([Deltas((piece,)) for piece in PIECES])
    assert shown([watch(Pure("nothing"))], PIECES) == [dict(choice.message) for choice in plain.choices]


def bytewise(pieces: Sequence[Delta], sizes: Sequence[int]) -> list[Delta]:
    """The same answer in smaller pieces, of these sizes in turn."""
    return [small for piece in pieces for small in _split(piece, sizes)]


def _split(piece: Delta, sizes: Sequence[int]) -> list[Delta]:
    for name, value in piece.delta.items():
        if name in ("content", "reasoning") and value:
            rest = {key: one for key, one in piece.delta.items() if key != name}
            return [Delta(piece.index, {**rest, name: part}) for part in _parts(value, sizes)]
        if name == "tool_calls" and value[0]["function"].get("arguments"):
            said = value[0]["function"]["arguments"]
            return [
                Delta(piece.index, {name: [{"index": value[0]["index"], "function": {"arguments": part}}]})
                for part in _parts(said, sizes)
            ]
    return [piece]


def _parts(text: str, sizes: Sequence[int]) -> list[str]:
    parts, at, turn = [], 0, 0
    while at < len(text):
        parts.append(text[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(parts[-1]), turn + 1
    return parts


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_whatever_the_chunks_are_it_is_the_same(sizes: list[int]) -> None:
    assert shown([pure()], bytewise(PIECES, sizes)) == shown([pure()], PIECES)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.sampled_from(range(len(PIECES))))
def test_nothing_that_is_blocked_goes_out(sizes: list[int], begin: int) -> None:
    async def case() -> str:
        screen, out = Screen([pure("block")], call(fields=TOOLS), False), ""
        with suppress(ContentFilter):
            for piece in bytewise(PIECES[begin:], sizes):
                out += str((await screen.shown(Deltas((piece,)))).pieces)
            out += str((await screen.rest()).pieces)
        return out

    out = asyncio.run(case())
    assert "secret" not in out
    assert "ecret" not in out


def test_a_refusal_names_the_guard_and_what_it_found() -> None:
    with pytest.raises(ContentFilter) as caught:
        asyncio.run(screened([watch(Pure("other"), "block"), pure("block")], PIECES))
    assert caught.value.message == "The guard 'pure' blocks this answer: it holds X (1); ask for something else."


def test_the_order_of_a_choices_texts_is_kept() -> None:
    events, _ = asyncio.run(screened([pure()], PIECES))
    names = [name for event in events for piece in event.pieces if piece.index == 0 for name in piece.delta]
    assert names == sorted(names, key=["role", "reasoning", "content", "tool_calls"].index)


def test_usage_is_not_held_back() -> None:
    events, _ = asyncio.run(screened([remote(Whole(everywhere("x")))], PIECES))
    assert [event.usage for event in events] == [*(Usage(1, n) for n in range(1, len(PIECES) + 1)), None]
    assert all(not any("content" in piece.delta for piece in event.pieces) for event in events[:5])


TOKENS = {"content": [{"token": "sec", "logprob": -0.1}]}, {"content": [{"token": "ret", "logprob": -0.2}]}


def probable(*texts: str) -> list[Delta]:
    return [Delta(0, {"content": text}, logprobs) for text, logprobs in zip(texts, TOKENS, strict=True)]


def test_logprobs_come_at_the_end_and_not_of_a_choice_that_was_redacted() -> None:
    kept, _ = asyncio.run(screened([pure()], probable("sun", "set")))
    assert kept[-1].pieces[-1].logprobs == {"content": [*TOKENS[0]["content"], *TOKENS[1]["content"]]}
    assert all(piece.logprobs is None for event in kept for piece in event.pieces[:-1])
    gone, _ = asyncio.run(screened([pure()], probable("sec", "ret")))
    assert folded(gone).choices[0].logprobs is None
    told, _ = asyncio.run(screened([pure("flag")], probable("sec", "ret")))
    assert [piece.logprobs for event in told for piece in event.pieces] == list(TOKENS)


def test_what_is_only_told_changes_nothing() -> None:
    events, screen = asyncio.run(screened([pure("flag")], PIECES))
    assert [piece for event in events for piece in event.pieces] == PIECES
    (looked,) = screen.looked
    assert looked.told() == {"guard": "pure", "on": "output", "verdict": "flag", "found": {"X": 6}}


def test_structured_content_is_read_as_json() -> None:
    said = [Delta(0, {"content": part}) for part in ('{"a": "\\u0073ec', 'ret"}')]
    assert shown([pure()], said, structured=True)[0]["content"] == '{"a": "[X]"}'
    assert shown([pure()], said)[0]["content"] == '{"a": "\\u0073ecret"}'


def test_a_guard_that_gives_no_answer_refuses_or_is_left_out() -> None:
    with pytest.raises(Unready, match="'whole' could not look at this answer") as caught:
        asyncio.run(screened([remote(Whole(broken))], PIECES))
    assert caught.value.code == "guard_unavailable"
    guard = Whole(broken)
    events, screen = asyncio.run(screened([remote(guard, fail="open", every=16), pure()], PIECES))
    assert folded(events).choices[1].message["content"] == "no [X]s"
    assert len(guard.asked) == 1  # and is not asked again
    assert [(one.ruling, one.failed) for one in screen.looked] == [("pass", "ValueError"), ("redact", None)]


def test_of_the_tokens_that_were_not_said_nothing_is_shown() -> None:
    """Nobody looks at them, and one may be all of a secret."""
    others = [{"token": "no", "logprob": -1.0}, {"token": "secret", "logprob": -0.1}]
    chat = {"content": [{"token": "no", "logprob": -1.0, "top_logprobs": others}], "refusal": None}
    raw = {"tokens": ["no", "ne"], "token_logprobs": [-1.0, -1.0], "top_logprobs": [{"secret": -0.1, "no": -1.0}, None]}
    for logprobs in (chat, raw):
        kept, _ = asyncio.run(screened([pure()], [Delta(0, {"content": "no"}, logprobs)]))
        assert "secret" not in json.dumps([event.pieces[-1].logprobs for event in kept if event.pieces])
        assert folded(kept).choices[0].logprobs is not None
        told, _ = asyncio.run(screened([pure("flag")], [Delta(0, {"content": "no"}, logprobs)]))
        assert told[0].pieces[0].logprobs == logprobs


def test_what_is_neither_a_text_nor_a_call_does_not_come() -> None:
    pieces = [Delta(0, {"content": "no", "audio": {"transcript": "secret"}, "annotations": ["secret"]})]
    assert shown([pure()], pieces)[0] == {"role": "assistant", "content": "no"}
    assert shown([pure("flag")], pieces)[0]["annotations"] == ["secret"]

"""A text that grows: whatever its chunks are, what is shown is the whole text less what the guards find in it."""

import asyncio
import itertools
import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Finding
from gateway.guards.asking import Watch
from gateway.guards.redaction import redacted
from gateway.guards.tracks import Tally, Track
from gateway.guards.views import Json, Plain, View
from tests.gateway.calls import call
from tests.gateway.guards.scripted import Pure, Whole, everywhere, remote, watch

ASKED = call()


async def grown(watches: Sequence[Watch], chunks: Sequence[str], view: View) -> tuple[list[str], list[Tally]]:
    """What is shown after each chunk, and at the end."""
    tallies = [Tally(one) for one in watches]
    track = Track(tallies, ASKED, view)
    shown = [await track.add(chunk) for chunk in chunks]
    return [*shown, await track.add("", final=True)], tallies


def shown(watches: Sequence[Watch], chunks: Sequence[str], json: bool = False) -> str:
    return "".join(asyncio.run(grown(watches, chunks, Json() if json else Plain()))[0])


def cut(text: str, places: Sequence[int]) -> list[str]:
    """The text in chunks, cut at these places."""
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in itertools.pairwise(ends)]


# Few letters, so that there is much to find; findings overlap, nest and touch.
letters = st.text("abc ", max_size=60)
places = st.lists(st.integers(0, 1000), max_size=20)
patterns = st.sampled_from(["ab", "a{1,6}", "ab{0,4}c", "b.b", "(?<=c)a", "a(?= )", "abc?abc", r"\bab\b"])


@given(letters, places, st.lists(patterns, min_size=1, max_size=3))
def test_redacted_while_it_grows_it_is_the_same_as_redacted_whole(text: str, at: list[int], found: list[str]) -> None:
    guards = [Pure(pattern, "XYZ"[number]) for number, pattern in enumerate(found)]
    whole = [one for guard in guards for one in asyncio.run(_find(guard, text))]
    assert shown([watch(guard) for guard in guards], cut(text, at)) == redacted(text, [f for f in whole if f])


async def _find(guard: Pure, text: str) -> Sequence[Finding]:
    return await guard.find(text, ASKED, "output")


@given(letters, places)
def test_nothing_that_is_blocked_is_shown_and_no_more_is_held_back_than_the_reach(text: str, at: list[int]) -> None:
    async def case() -> None:
        tallies = [Tally(watch(Pure("abc", reach=5), "block"))]
        track, out, arrived = Track(tallies, ASKED, Plain()), "", ""
        for chunk in cut(text, at):
            out, arrived = out + await track.add(chunk), arrived + chunk
            if tallies[0].ruling == "block":
                break
            assert len(arrived) - len(out) <= 5
            assert arrived.startswith(out)
        out += await track.add("", final=True)
        begins = text.find("abc")
        assert out == text if begins < 0 else text[:begins].startswith(out)
        assert (tallies[0].ruling == "block") == (begins >= 0)

    asyncio.run(case())


@given(st.text(max_size=40), places, st.integers(0, 40))
def test_json_is_read_behind_its_escapes_and_stays_json(text: str, at: list[int], inset: int) -> None:
    secret = "s3cr3t/é😀"
    value = {"to": text[:inset] + secret + text[inset:], "many": [secret, 1234, None, text], secret: True}
    raw = json.dumps(value).replace("/", "\\/")
    left = json.loads(shown([watch(Pure(re.escape(secret), reach=10))], cut(raw, at), json=True))
    assert left == json.loads(json.dumps(value, ensure_ascii=False).replace(secret, "[X]"))


@given(places)
def test_a_number_that_is_found_becomes_a_string(at: list[int]) -> None:
    raw = '{"card": 994111111111111111, "n": -12.5e3, "s": "4111111111111111", "last": 4111111111111111}'
    left = json.loads(shown([watch(Pure("4111111111111111?", reach=16))], cut(raw, at), json=True))
    assert left == {"card": "[X]", "n": -12.5e3, "s": "[X]", "last": "[X]"}


@given(places)
def test_what_goes_over_several_values_goes_from_each(at: list[int]) -> None:
    raw = '{"a": "keep aa", "b": "bb keep"}'
    left = json.loads(shown([watch(Pure('aa", "b": "bb', reach=13))], cut(raw, at), json=True))
    assert left == {"a": "keep [X]", "[X]": "[X] keep"}


@pytest.mark.parametrize(
    "broken", ['{"a": "x\\', '"\\ud83d', '"\\ud83d\\u0041"', '"\\q\\u12', "{'a': 1}", '"a\nb"', "12"]
)
def test_what_is_no_json_comes_as_it_is(broken: str) -> None:
    assert shown([watch(Pure("secret"))], list(broken), json=True) == broken


def test_a_guard_that_judges_whole_texts_has_it_whole() -> None:
    guard = Whole(everywhere("secret"))
    pieces, _ = asyncio.run(grown([remote(guard)], ["a se", "cret", " b. c"], Plain()))
    assert pieces == ["", "", "", "a [W] b. c"]
    assert guard.asked == ["a secret b. c"]


def test_or_sentence_by_sentence_with_what_came_before() -> None:
    guard = Whole(everywhere("secret"))
    pieces, _ = asyncio.run(grown([remote(guard, every="sentence")], ["One. T", "wo? A secr", "et. F", "our"], Plain()))
    assert pieces == ["One. ", "Two? ", "A [W]. ", "", "Four"]
    assert guard.asked == ["One. ", "One. Two? ", "One. Two? A secret. ", "One. Two? A secret. Four"]


def test_or_so_many_characters_at_a_time() -> None:
    guard = Whole(everywhere("secret"))
    pieces, _ = asyncio.run(grown([remote(guard, every=16)], ["0123456789", "0123456789", "01"], Plain()))
    assert pieces == ["", "01234567890123456789", "", "01"]


def test_what_begins_in_text_that_is_shown_ends_there() -> None:
    guard = Whole(everywhere("one. two"))
    pieces, tallies = asyncio.run(grown([remote(guard, every="sentence")], ["one. ", "two. three"], Plain()))
    assert "".join(pieces) == "one. [W]. three"
    assert tallies[0].kinds == {"W": 1}


def test_what_is_only_told_holds_nothing_back_and_is_counted_once() -> None:
    guards = [watch(Pure("ab"), "flag"), remote(Whole(everywhere("cd")), "flag")]
    pieces, tallies = asyncio.run(grown(guards, list("ab cd ab"), Plain()))
    assert pieces == [*"ab cd ab", ""]
    assert [dict(tally.kinds) for tally in tallies] == [{"X": 2}, {"W": 1}]


def test_a_text_that_is_interrupted_is_shown_and_what_goes_on_is_still_found() -> None:
    async def case() -> str:
        track = Track([Tally(watch(Pure("secret")))], ASKED, Plain())
        return "|".join(
            [await track.add("a sec"), await track.add("", True), await track.add("ret b"), await track.add("", True)]
        )

    assert asyncio.run(case()) == "|a sec||[X] b"

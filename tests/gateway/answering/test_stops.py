"""Stop strings that are cut by a seam are found where one generation would have; nothing else is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answering.stops import Stops


def through(stops: Stops, parts: list[str]) -> str:
    """Everything that is said of parts, until a stop string is found."""
    said = ""
    for number, part in enumerate(parts):
        if number:
            stops.seam()
        for letter in part:
            said += stops.add(letter)
            if stops.found:
                return said
    return said + stops.rest()


@given(st.lists(st.text("abx", max_size=4), min_size=1, max_size=4), st.lists(st.text("ab", max_size=3), max_size=3))
def test_text_comes_through_up_to_the_first_stop_string_across_a_seam(parts: list[str], strings: list[str]) -> None:
    stops, text = Stops(strings, included=False), "".join(parts)
    seams = {sum(map(len, parts[:number])) for number in range(1, len(parts))}
    across = [
        (at + len(string), -len(string))
        for string in strings
        for at in range(len(text))
        if text.startswith(string, at) and any(at < seam < at + len(string) for seam in seams)
    ]
    said = through(stops, parts)
    if not across:
        assert (said, stops.found) == (text, None)
    else:
        end = min(across)[0]
        assert said + str(stops.found) == text[:end]


def test_what_can_become_no_stop_string_is_never_held() -> None:
    stops = Stops(["STOP"], included=False)
    assert [stops.add(text) for text in ("a S", "T", "x STO")] == ["a ", "", "STx "]
    assert stops.rest() == "STO"


@pytest.mark.parametrize(("included", "said"), [(True, "a STOP"), (False, "a ")])
def test_it_is_said_where_it_is_included(included: bool, said: str) -> None:
    stops = Stops(["STOP"], included)
    assert through(stops, ["a ST", "OP b"]) == said
    assert stops.found == "STOP"


def test_one_that_lies_in_one_part_is_for_the_engine_to_find() -> None:
    stops = Stops(["STOP"], included=True)
    assert through(stops, ["a", "b STOP"]) == "ab STOP"
    assert stops.found is None


@pytest.mark.parametrize(("unsaid", "rest", "found"), [("OP t", "", "STOP"), ("x", "ST", None)])
def test_the_engines_own_stop_string_may_hide_one_that_was_complete_before(
    unsaid: str, rest: str, found: str | None
) -> None:
    stops = Stops(["STOP", "OP t", "x"], included=False)
    assert stops.add("one S") == "one "
    stops.seam()
    assert stops.add("T") == ""
    assert (stops.rest(unsaid), stops.found) == (rest, found)

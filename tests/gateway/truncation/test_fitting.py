"""fitting: section after section, whole turns before parts of them; counted by the bundled model's own vocabulary."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.exchange import Message, Parts
from gateway.truncation import Fitted, Section, examples, fitted, history, now, raw
from gateway.truncation.shortening import MARK, How
from tests.gateway.truncation.counters import counter, looked_up

SHORT = tuple({"role": "user" if at % 2 == 0 else "assistant", "content": f"{at} " + "word " * 40} for at in range(9))


async def count(parts: Parts) -> int:
    """Every example is 100 tokens."""
    asked = {"messages": [dict(one) for one in parts.messages]} if parts.text is None else {"prompt": parts.text}
    return (await counter("own").count(asked)).tokens + 100 * len(parts.examples)


def length(messages: Sequence[Message]) -> int:
    return asyncio.run(count(Parts(tuple(messages))))


def cut(parts: Parts, sections: Sequence[Section], room: int) -> Fitted:
    return asyncio.run(fitted(parts, sections, count, room))


def turns(how: How, room: int, messages: Sequence[Message] = SHORT) -> Fitted:
    whole = Parts(tuple(messages))
    return cut(whole, [history(whole, how)], room)


def names(found: Fitted) -> list[str]:
    """Of the messages that are whole."""
    return [str(one["content"]).split()[0] for one in found.parts.messages if MARK not in str(one["content"])]


def test_what_fits_is_the_same() -> None:
    whole = Parts(SHORT)
    assert cut(whole, [history(whole, "oldest")], length(SHORT)).parts is whole


def test_the_oldest_turns_go_first_and_what_is_asked_stays() -> None:
    assert names(turns("oldest", length(SHORT[4:]))) == ["4", "5", "6", "7", "8"]


def test_from_the_middle_the_first_turn_goes_last() -> None:
    assert names(turns("middle", length([*SHORT[:2], *SHORT[6:]]))) == ["0", "1", "6", "7", "8"]


def test_of_the_turn_that_just_does_not_fit_a_part_stays() -> None:
    room = length(SHORT[4:]) + 50
    found = turns("oldest", room)
    assert 0.98 * room <= found.tokens <= room
    assert found.tokens == length(found.parts.messages)
    partly = str(found.parts.messages[0]["content"])
    assert partly.startswith(MARK)
    assert str(SHORT[2]["content"]).endswith(partly.removeprefix(MARK))


def test_instructions_stay_wherever_they_stand() -> None:
    told = {"role": "developer", "content": "Be brief."}
    found = turns("oldest", length([told, *SHORT[6:]]), [*SHORT[:3], told, *SHORT[3:]])
    assert found.parts.messages == (told, *SHORT[6:])


def test_a_call_and_what_the_tool_said_go_together_and_before_their_turn() -> None:
    asked, answered = {"role": "user", "content": "look " * 30}, {"role": "assistant", "content": "so " * 30}
    exchange = looked_up("a", "found " * 90)
    messages = [asked, *exchange, answered, *SHORT]
    found = turns("oldest", length([asked, answered, *SHORT]) + 20, messages)
    assert found.parts.messages == (asked, answered, *SHORT)
    found = turns("oldest", length(messages) - 20, messages)
    assert found.parts.messages[:2] == (asked, exchange[0])
    assert [MARK in str(one["content"]) for one in found.parts.messages[:4]] == [False, False, True, False]


def test_what_a_call_alone_leaves_empty_the_turn_before_takes() -> None:
    asked, exchange = {"role": "user", "content": "look"}, looked_up("a", "found " * 90)
    room = length([asked, *SHORT]) + 30
    found = turns("oldest", room, [{"role": "user", "content": "first " * 90}, asked, *exchange, *SHORT])
    assert MARK in str(found.parts.messages[0]["content"])
    assert found.parts.messages[1:] == (asked, *SHORT)
    assert found.tokens >= 0.98 * room


def test_parts_of_a_content_are_shortened_and_pictures_stay() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    said = {"role": "user", "content": [{"type": "text", "text": "word " * 100}, picture]}
    whole = Parts((said, *SHORT[:1]))
    section = history(whole, "middle")
    text, same = section.at(whole, section.size // 2).messages[0]["content"]
    assert 100 < len(text["text"]) < 400
    assert MARK in text["text"]
    assert same is picture


def test_what_is_asked_is_shortened_in_its_middle_and_keeps_its_ends() -> None:
    whole = Parts((*SHORT[:2], {"role": "user", "content": "begin " + "word " * 400 + "end"}))
    found = cut(whole, [history(whole, "middle"), now(whole, [])], 100)
    assert found.tokens <= 100
    (asked,) = found.parts.messages
    assert str(asked["content"]).startswith("begin ")
    assert str(asked["content"]).endswith("end")


def test_the_longest_text_is_shortened_first() -> None:
    whole = Parts((), {"note": "word " * 50, "document": "word " * 400, "short": "as it is"})

    async def words(parts: Parts) -> int:
        return sum(len(str(text).split()) for text in parts.variables.values())

    def left(room: int) -> list[int]:
        found = asyncio.run(fitted(whole, [now(whole, ["note", "document", "short"])], words, room))
        return [len(str(found.parts.variables[name]).split()) for name in ("note", "document", "short")]

    note, document, short = left(300)
    assert (note, short) == (50, 3)
    assert 240 <= document <= 247
    note, document, short = left(40)
    assert (document, short) == (1, 3)
    assert 34 <= note <= 36


def test_the_text_of_a_raw_prompt_keeps_its_end_or_both_ends() -> None:
    whole = Parts(text="begin " + "word " * 400 + "end")
    for how, begins in (("oldest", MARK), ("middle", "begin")):
        found = cut(whole, [raw(whole, how)], 100)  # type: ignore[arg-type]
        assert 95 <= found.tokens <= 100
        assert str(found.parts.text).startswith(begins)
        assert str(found.parts.text).endswith("end")


@pytest.mark.parametrize(("by_place", "left"), [(False, (5, 1)), (True, (1, 2))])
def test_the_worst_examples_go_first_or_the_last_of_the_file(by_place: bool, left: tuple[int, ...]) -> None:
    whole = Parts((SHORT[0],), examples=(5, 1, 7, 2))
    found = cut(whole, [examples(whole, by_place)], length(SHORT[:1]) + 250)
    assert found.parts.examples == left


def test_the_conversation_goes_before_examples_and_grows_back_beside_them() -> None:
    whole = Parts(SHORT, examples=(0, 1, 2))
    sections = [history(whole, "oldest"), examples(whole, False)]
    found = cut(whole, sections, length(SHORT[8:]) + 310)
    assert found.parts == replace(whole, messages=SHORT[8:])
    room = length(SHORT[8:]) + 280
    found = cut(whole, sections, room)
    assert found.parts.examples == (0, 1)
    assert found.parts.messages[-1:] == SHORT[8:]
    assert 0.98 * room <= found.tokens <= room


def test_what_cannot_fit_has_lost_all_that_may_go() -> None:
    found = turns("oldest", 5)
    assert (found.parts.messages, found.tokens) == (SHORT[8:], length(SHORT[8:]))

"""Cached answers, the same over every store."""

from collections.abc import Callable
from dataclasses import replace

from gateway.state import Entry, State
from tests.contracts.conftest import Scenario

Play = Callable[[Scenario], None]

ENTRY = Entry("a", "p", b'{"x": 1}', 100.0, 200.0, b"\x00\xff" * 4, ("acme", "small"), "What is a token?")


def test_an_answer_comes_back_as_it_was_put(play: Play) -> None:
    async def scenario(state: State) -> None:
        exact = replace(ENTRY, key="b", vector=None, tags=())
        await state.answers.put(ENTRY)
        await state.answers.put(exact)
        assert await state.answers.get("a", 150.0) == ENTRY
        assert await state.answers.get("b", 150.0) == exact
        assert await state.answers.get("c", 150.0) is None
        assert await state.answers.count() == 2

    play(scenario)


def test_an_answer_expires_at_its_time(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        assert await state.answers.get("a", 199.9) == ENTRY
        assert await state.answers.get("a", 200.0) is None
        assert await state.answers.vectors("p", 200.0) == []

    play(scenario)


def test_a_put_sweeps_what_has_expired(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        await state.answers.put(replace(ENTRY, key="b", created=200.0, expires=300.0))
        assert await state.answers.count() == 1
        assert await state.answers.purge("acme") == 1

    play(scenario)


def test_a_put_replaces_the_entry_and_its_tags(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        newer = replace(ENTRY, body=b"{}", vector=None, created=120.0, tags=("other",))
        await state.answers.put(newer)
        assert await state.answers.get("a", 150.0) == newer
        assert await state.answers.vectors("p", 150.0) == []
        assert await state.answers.purge("acme") == 0
        assert await state.answers.count() == 1

    play(scenario)


def test_vectors_are_those_of_the_partition_oldest_first(play: Play) -> None:
    async def scenario(state: State) -> None:
        young = replace(ENTRY, key="0", created=110.0, vector=b"young")
        for entry in (young, ENTRY, replace(ENTRY, key="b", partition="q"), replace(ENTRY, key="c", vector=None)):
            await state.answers.put(entry)
        assert await state.answers.vectors("p", 150.0) == [("a", ENTRY.vector), ("0", b"young")]
        assert await state.answers.vectors("none", 150.0) == []

    play(scenario)


def test_purge_takes_what_has_the_tag_or_all(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, tag in enumerate(("red", "red", "blue", "green")):
            await state.answers.put(replace(ENTRY, key=str(number), tags=("all of them", tag)))
        assert await state.answers.purge("none") == 0
        assert await state.answers.purge("red") == 2
        assert [key for key, _ in await state.answers.vectors("p", 150.0)] == ["2", "3"]
        assert await state.answers.purge() == 2
        assert await state.answers.count() == 0

    play(scenario)

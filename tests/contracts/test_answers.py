"""Cached answers, the same over every store. What a purge takes: `test_answers_purged.py`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.state import Answers, Changes, State
from gateway.state.open import open_state
from tests.contracts.conftest import Play
from tests.contracts.entries import ENTRY, vectors
from tests.contracts.places import Place


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
        assert await vectors(state.answers, "p", 200.0) == {}

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
        assert await vectors(state.answers, "p", 150.0) == {}
        assert await state.answers.purge("acme") == 0
        assert await state.answers.count() == 1

    play(scenario)


def test_vectors_are_those_of_the_partition(play: Play) -> None:
    async def scenario(state: State) -> None:
        young = replace(ENTRY, key="0", created=110.0, vector=b"young")
        for entry in (young, ENTRY, replace(ENTRY, key="b", partition="q"), replace(ENTRY, key="c", vector=None)):
            await state.answers.put(entry)
        assert await vectors(state.answers, "p", 150.0) == {"a": ENTRY.vector, "0": b"young"}
        assert await vectors(state.answers, "none", 150.0) == {}

    play(scenario)


def test_changes_are_what_came_and_went_each_key_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        answers = state.answers
        start = await answers.changes(None)
        assert (start.added, start.removed, start.whole) == ((), (), False)
        await answers.put(ENTRY)
        await answers.put(replace(ENTRY, key="b", partition="q", vector=b"b"))
        await answers.put(replace(ENTRY, key="exact", vector=None))
        await answers.put(replace(ENTRY, vector=b"newer"))
        await answers.put(replace(ENTRY, key="c"))
        await answers.remove("c")
        found = await answers.changes(start.cursor)
        assert sorted(found.added) == [("p", "a", b"newer"), ("q", "b", b"b")]
        assert (found.removed, found.whole) == ((("p", "c"),), False)
        assert await answers.changes(found.cursor) == Changes(found.cursor)

    play(scenario)


def test_changes_tell_of_whatever_goes_expired_purged_or_replaced(play: Play) -> None:
    async def scenario(state: State) -> None:
        answers = state.answers
        for number, expires in enumerate((110.0, 200.0, 200.0)):
            await answers.put(replace(ENTRY, key=str(number), expires=expires, tags=(f"tag {number}",)))
        cursor = (await answers.changes(None)).cursor
        await answers.purge("tag 1")
        now = state.clock.now()
        await answers.put(replace(ENTRY, key="2", vector=None, created=now, expires=now + 100))
        assert sorted((await answers.changes(cursor)).removed) == [("p", "0"), ("p", "1"), ("p", "2")]

    play(scenario)


def test_a_cursor_of_elsewhere_begins_anew(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        now = await state.answers.changes(None)
        for cursor in ("elsewhere:0", now.cursor.partition(":")[0] + ":99"):
            assert await state.answers.changes(cursor) == Changes(now.cursor, whole=True)

    play(scenario)


def test_an_answer_that_was_wrong_is_removed(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        assert await state.answers.remove("a")
        assert not await state.answers.remove("a")
        assert await state.answers.get("a", 150.0) is None
        assert await state.answers.purge("acme") == 0

    play(scenario)


def test_what_saves_least_goes_first_by_its_use_and_age(place: Place) -> None:
    async def scenario(answers: Answers) -> None:
        async def put(key: str, saves: int) -> None:
            await answers.put(replace(ENTRY, key=key, saves=saves))

        async def gone(*keys: str) -> bool:
            return [await answers.get(key, 150.0) for key in keys] == [None] * len(keys)

        for key, saves in (("popular", 10), ("dear", 100), ("cheap", 15)):
            await put(key, saves)
        for _ in range(2):
            await answers.used("popular", 150.0)
        await put("new", 10)  # 10 + 15 at the age of what went
        assert await gone("cheap")
        for key in "1234567":
            await put(key, 10)
        assert await gone("new", "popular", *"12345")
        assert not await gone("dear", "7")
        assert await answers.count() == 3
        for number in range(8, 30):
            await put(str(number), 10)
        assert await gone("dear")  # nobody asked for it

    asyncio.run(on(place, 3, scenario))


def test_a_lower_bound_is_reached_in_time(shared_place: Place) -> None:
    async def fill(answers: Answers) -> None:
        for number in range(9):
            await answers.put(replace(ENTRY, key=str(number), saves=number))

    async def add(answers: Answers) -> None:
        await answers.put(replace(ENTRY, key="new"))
        assert await answers.count() == 4
        assert await answers.get("8", 150.0)

    asyncio.run(on(shared_place, 9, fill))
    asyncio.run(on(shared_place, 4, add))


def test_use_of_what_is_gone_brings_nothing_back(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.used("a", 150.0)
        assert await state.answers.count() == 0
        assert await state.answers.get("a", 150.0) is None

    play(scenario)


async def on(place: Place, most: int, scenario: Callable[[Answers], Awaitable[None]]) -> None:
    """On a store that holds so many answers at most."""
    state = await open_state(place.url, place.ledger, max_entries=most)
    try:
        await scenario(state.answers)
    finally:
        await state.close()

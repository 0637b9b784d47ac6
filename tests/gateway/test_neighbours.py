"""The nearest cached questions as each gateway sees them, over a real file and a real Redis that others write to.

A Redis that is away: `test_neighbours_away.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway import neighbours
from gateway.neighbours import Neighbours
from gateway.neighbours import partition as parts
from gateway.neighbours.flat import ROWS
from gateway.state import Answers, Changes, Entry, State
from tests.contracts.places import Place
from tests.gateway.viewed import SOME, entry, keys, knows, put, until

Scenario = Callable[[State, State], Awaitable[None]]


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "redis":
        return Place.redis(request.getfixturevalue("redis_url"), tmp_path).emptied()
    return Place(f"sqlite:///{tmp_path}/state.db", tmp_path)


def play(place: Place, scenario: Scenario) -> None:
    """With two gateways on one store."""

    async def run() -> None:
        async with opened(place) as one, opened(place) as two:
            await scenario(one, two)

    asyncio.run(run())


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[State]:
    state = await place.open()
    try:
        yield state
    finally:
        await state.close()


def test_the_nearest_of_the_partition_are_found_with_their_cosines(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        await put(one, range(50))
        await put(one, [51], partition="q")
        view = Neighbours(two.answers, 10)
        cosines = SOME[:50] @ SOME[51]
        best = sorted(range(50), key=lambda number: -cosines[number])[:3]
        found = await view.nearest("p", SOME[51], time.time(), 3)
        assert [key for key, _ in found] == [f"k{number}" for number in best]
        assert [score for _, score in found] == pytest.approx(cosines[best], abs=1e-5)
        assert await keys(view, SOME[51], "q") == ["k51"]
        assert await keys(view, SOME[51], "none") == []

    play(place, scenario)


def test_what_others_add_and_remove_is_known_soon(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        view = Neighbours(two.answers, 10)
        assert await keys(view, SOME[0]) == []
        await put(one, range(6))
        await until(lambda: knows(view, {"k0", "k1", "k2", "k3", "k4", "k5"}))
        await one.answers.remove("k0")
        await one.answers.purge("tag 1")
        await until(lambda: knows(view, {"k2", "k4"}))
        now = time.time()
        await one.answers.put(Entry("k2", "p", b"{}", now + 1, now + 9))  # the embedder was away
        await until(lambda: knows(view, {"k4"}))

    play(place, scenario)


def test_its_own_are_known_at_once(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        view = Neighbours(one.answers, 10)
        assert await keys(view, SOME[0]) == []
        await put(one, [0])
        view.add(entry(0))
        view.add(entry(1, vector=None))
        assert await keys(view, SOME[0]) == ["k0"]
        view.remove("k0")
        assert await keys(view, SOME[0]) == []

    play(place, scenario)


def test_a_view_that_is_old_is_not_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause the first lookup knows already what others did meanwhile."""
    monkeypatch.setattr(neighbours, "POLL_S", 0.05)
    monkeypatch.setattr(neighbours, "FRESH_S", 0.1)

    async def scenario(one: State, two: State) -> None:
        view = Neighbours(two.answers, 10)
        await put(one, [0])
        assert await keys(view, SOME[0]) == ["k0"]
        await put(one, range(1, 500))
        await one.answers.remove("k0")
        await asyncio.sleep(0.2)
        assert len(await keys(view, SOME[0], k=1000)) == 499

    play(place, scenario)


class Counted:
    """Answers of a store, and how often its changes were asked for."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.asked, self.vectors, self.nearest = answers, 0, answers.vectors, answers.nearest

    async def changes(self, cursor: str | None) -> Changes:
        self.asked += 1
        return await self.answers.changes(cursor)


def test_one_poll_serves_all_partitions_and_nobody_polls_for_nobody(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        counted = Counted(two.answers)
        view = Neighbours(counted, 100)  # type: ignore[arg-type] # no more of it is used
        began = time.monotonic()
        while time.monotonic() < began + 1.2:
            await asyncio.gather(*(keys(view, SOME[0], str(number)) for number in range(20)))
        took = time.monotonic() - began
        assert 2 <= counted.asked <= took / neighbours.POLL_S + 3  # the first asks twice
        before = counted.asked
        await asyncio.sleep(1.2)
        assert counted.asked == before

    play(place, scenario)


def test_partitions_that_are_not_asked_for_are_forgotten_and_read_again(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        counted = Counted(two.answers)
        view = Neighbours(counted, 2)  # type: ignore[arg-type]
        for number in range(4):
            await put(one, [number], partition=f"p{number}")
        for _ in range(2):
            for number in range(4):
                assert await keys(view, SOME[0], f"p{number}") == [f"k{number}"]

    play(place, scenario)


def test_entries_in_memory_are_bounded(place: Place) -> None:
    async def scenario(one: State, two: State) -> None:
        view = Neighbours(two.answers, 10, entries=20)
        await put(one, range(30))
        await put(one, range(100, 110), partition="q")
        assert 20 <= len(await keys(view, SOME[0], k=1000)) < 30 + 1
        view.add(entry(200))
        assert "k200" not in await keys(view, SOME[200])
        assert len(await keys(view, SOME[0], "q", k=1000)) == 10
        assert list(view._views) == ["q"]

    play(place, scenario)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parts, neighbours):
        monkeypatch.setattr(module, "FLAT", 2 * ROWS)


@pytest.mark.usefixtures("small")
def test_a_large_partition_is_read_merged_and_followed(tmp_path: Path) -> None:
    async def scenario(one: State, two: State) -> None:
        await put(one, range(3 * ROWS))
        view = Neighbours(two.answers, 10)
        await until(lambda: merged(view, 3 * ROWS))
        for number in range(0, 3 * ROWS, 400):
            assert (await keys(view, SOME[number]))[0] == f"k{number}"
        await asyncio.gather(put(one, range(3 * ROWS, 4 * ROWS)), one.answers.purge("tag 0"), still(view))
        await until(lambda: merged(view, 2 * ROWS))
        assert (await keys(view, SOME[1]))[0] == "k1"
        assert "k2" not in await keys(view, SOME[2])

    play(Place(f"sqlite:///{tmp_path}/state.db", tmp_path), scenario)


async def merged(view: Neighbours, size: int) -> bool:
    """Asks, and says whether the view has come to that size."""
    await keys(view, SOME[1])
    part = view._views["p"].part
    return part.size == size and part.due() is None and part.flat <= 2 * ROWS


async def still(view: Neighbours) -> None:
    """What nobody removes is found at every moment."""
    for _ in range(200):
        assert (await keys(view, SOME[1]))[0] == "k1"
        await asyncio.sleep(0)

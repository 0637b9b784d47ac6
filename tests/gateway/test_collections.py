"""Which version of a collection a running gateway serves: the newest whole one, swapped in while it runs."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.collections import AGAIN_S, LOOK_S, Collections
from gateway.settings import Retrieve
from retrieval.collection import rollback
from tests.gateway.indexes import Identified
from tests.gateway.made import Page, made
from tests.gateway.waiting import until

ONE, TWO = {"one.md": Page("The first page is about apples.")}, {"two.md": Page("The second page is about pears.")}


def play(scenario: Callable[[Collections, list[tuple[str, str]]], Awaitable[None]], **paths: Path) -> None:
    """Runs a scenario on the collections in these folders; it is given what was loaded and refused, too."""

    async def run() -> None:
        loads: list[tuple[str, str]] = []
        sections = {name: Retrieve(path=path) for name, path in paths.items()}
        collections = Collections(sections, lambda _: Identified(), lambda *load: loads.append(load))
        try:
            await collections.open()
            await scenario(collections, loads)
        finally:
            await collections.aclose()

    asyncio.run(run())


def damage(folder: Path, version: str, file: Path | None = None) -> Path:
    """Flip a bit in the largest file of a version, or in this one; twice is none."""
    file = file or max((folder / version).rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.unlink()  # it may be linked into another version
    file.write_bytes(data)
    return file


def test_what_is_there_is_served_by_its_name_in_the_settings(tmp_path: Path) -> None:
    version = made(tmp_path / "one", ONE).version

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        snapshot = collections["docs"]
        assert (list(collections), len(collections)) == (["docs"], 1)
        assert (snapshot.name, snapshot.version, len(snapshot.index)) == ("docs", version, 1)
        assert (collections.faults(), collections.warnings(), loads) == ([], [], [("docs", "loaded")])

    play(scenario, docs=tmp_path / "one")


def test_what_is_not_there_is_a_fault_until_it_is(tmp_path: Path) -> None:
    made(tmp_path / "good", ONE)

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        assert list(collections) == ["good"]
        (fault,) = collections.faults()
        assert fault.startswith("collection 'docs': ")
        assert "tollgate index build" in fault
        await asyncio.to_thread(made, tmp_path / "docs", ONE)
        await until(lambda: "docs" in collections)
        assert collections.faults() == []
        assert loads.count(("docs", "loaded")) == 1

    play(scenario, docs=tmp_path / "docs", good=tmp_path / "good")


def test_a_new_version_takes_the_place_of_the_old_one_and_a_rollback_brings_it_back(tmp_path: Path) -> None:
    first = made(tmp_path, ONE).version

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        kept = collections["docs"]
        second = (await asyncio.to_thread(made, tmp_path, TWO)).version
        await until(lambda: collections["docs"].version == second)
        assert (len(collections["docs"].index), len(kept.index), kept.version) == (2, 1, first)
        await asyncio.to_thread(rollback, tmp_path)
        await until(lambda: collections["docs"].version == first)
        assert len(loads) == 3

    play(scenario, docs=tmp_path)


def test_a_damaged_version_is_not_served_and_the_last_good_one_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tollgate.collections")
    first = made(tmp_path, ONE).version

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        second = made(tmp_path, TWO).version  # the loop does not turn, so nobody has seen it whole
        damage(tmp_path, second)
        await until(lambda: bool(collections.warnings()))
        assert collections["docs"].version == first
        assert second in collections.warnings()[0]
        assert collections.faults() == []
        assert loads == [("docs", "loaded"), ("docs", "refused")]
        third = (await asyncio.to_thread(made, tmp_path, TWO | {"three.md": Page("Plums.")})).version
        await until(lambda: collections["docs"].version == third)
        assert collections.warnings() == []

    play(scenario, docs=tmp_path)
    assert [record.message for record in caplog.records if f"version {first} goes on" in record.message]


def test_a_start_serves_the_last_good_version_and_warns(tmp_path: Path) -> None:
    first = made(tmp_path, ONE).version
    damage(tmp_path, made(tmp_path, TWO).version)

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        assert collections["docs"].version == first
        assert collections.faults() == []
        assert len(collections.warnings()) == 1
        assert loads == [("docs", "loaded"), ("docs", "refused")]

    play(scenario, docs=tmp_path)


@pytest.mark.parametrize("again", [0.0, AGAIN_S])
def test_what_was_refused_is_read_again_after_a_while(tmp_path: Path, again: float) -> None:
    """A large version is not read twice a second; one whose files were put right is served in the end."""
    made(tmp_path, ONE)

    async def run() -> None:
        collections = Collections({"docs": Retrieve(path=tmp_path)}, lambda _: Identified(), again=again)
        await collections.open()
        second = made(tmp_path, TWO).version
        damaged = damage(tmp_path, second)
        await until(lambda: bool(collections.warnings()))
        damage(tmp_path, second, damaged)
        if again:
            await asyncio.sleep(3 * LOOK_S)
        else:
            await until(lambda: collections.warnings() == [])
        assert (collections["docs"].version == second) is not bool(again)
        await collections.aclose()

    asyncio.run(run())


def test_a_version_of_another_embedder_is_refused(tmp_path: Path) -> None:
    made(tmp_path, ONE)

    async def run() -> None:
        collections = Collections({"docs": Retrieve(path=tmp_path)}, lambda _: Identified("another"))
        await collections.open()
        assert (list(collections), "was built with" in collections.faults()[0]) == ([], True)
        await collections.aclose()

    asyncio.run(run())


def test_an_old_version_is_let_go_of_with_the_last_request_that_has_it(tmp_path: Path) -> None:
    """At once, and by counting references: the gateway looks for cycles seldom (`gateway.cli.server`)."""
    made(tmp_path, ONE)

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        gc.disable()
        kept = [collections["docs"]]
        old = weakref.ref(kept[0].index)
        second = (await asyncio.to_thread(made, tmp_path, TWO)).version
        await until(lambda: collections["docs"].version == second)
        assert kept[0].index.passages([0])[0].text == ONE["one.md"].text
        assert old() is not None
        kept.clear()
        await until(lambda: old() is None)

    try:
        play(scenario, docs=tmp_path)
    finally:
        gc.enable()

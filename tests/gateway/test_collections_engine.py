"""Collections from an engine: its versions are swapped in as a folder's are, and its faults outlived."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from gateway.collections import LOOK_S, Collections
from gateway.settings import Retrieve
from gateway.versions import Published
from retrieval.collection import Collection
from retrieval.engines.engine import Engine
from retrieval.query import Scope
from retrieval.weights import MINILM
from tests.fakes.raw import Raw, raw_server
from tests.gateway.engines import AWAY, HANGS, Scripted, failing
from tests.gateway.indexes import Identified
from tests.gateway.made import Page, made
from tests.gateway.waiting import until
from tests.retrieval.engines.put import LOCALLY

ONE, TWO = {"one.md": Page("The first page is about apples.")}, {"two.md": Page("The second page is about pears.")}


def play(scripted: Scripted, scenario: Callable[[Collections, list[tuple[str, str]]], Awaitable[None]]) -> None:
    """Runs a scenario on the collection `docs` of a scripted engine; it is given what was loaded and refused, too."""

    async def run() -> None:
        loads: list[tuple[str, str]] = []
        async with raw_server(scripted) as server:
            section = Retrieve(path=Path("nowhere"), engine=server.url)
            collections = Collections({"docs": section}, lambda _: Identified(), lambda *load: loads.append(load))
            try:
                await collections.open()
                await scenario(collections, loads)
            finally:
                await collections.aclose()

    asyncio.run(run())


@pytest.mark.filterwarnings(*(mark.args[0] for mark in LOCALLY))
def test_what_is_published_is_searched_and_the_next_version_takes_its_place(tmp_path: Path) -> None:
    engine = Engine(QdrantClient(":memory:"))

    def put(pages: dict[str, Page]) -> str:
        version = made(tmp_path, pages).version
        engine.publish(Collection.load(tmp_path, MINILM.identity), "docs", lambda done, total: None)
        return version

    async def run() -> None:
        first = put(ONE)
        sections = {"docs": Retrieve(path=tmp_path)}
        collections = Collections(sections, lambda _: Identified(), origin=lambda name, _: Published(name, engine))
        await collections.open()
        kept = collections["docs"]
        assert (kept.version, len(kept.index)) == (first, 1)
        second = await asyncio.to_thread(put, TWO)
        await until(lambda: collections["docs"].version == second)
        assert collections["docs"].index.lexical("pears", 3, Scope()).rows.size == 1
        assert kept.index.passages([0])[0].text == ONE["one.md"].text  # who began with it goes on
        await collections.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("fault", [AWAY, HANGS, failing(b"500 Internal Server Error")], ids=["away", "hangs", "500"])
def test_an_engine_that_fails_is_a_warning_until_it_answers_again(fault: Raw, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "tollgate.collections")
    scripted = Scripted()

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        assert collections["docs"].version == "v1"
        scripted.fault = fault
        await until(lambda: bool(collections.warnings()))
        assert (collections["docs"].version, collections.faults()) == ("v1", [])
        assert collections.warnings()[0].startswith("collection 'docs': Qdrant ")
        scripted.version, scripted.fault = "v2", None
        await until(lambda: collections["docs"].version == "v2")
        assert (collections.warnings(), loads) == ([], [("docs", "loaded")] * 2)

    play(scripted, scenario)
    assert len([record for record in caplog.records if "version v1 goes on" in record.message]) == 1


def test_engines_that_hang_keep_nobody_else_waiting(tmp_path: Path) -> None:
    """They are more than the threads that all else in the process shares (asyncio.to_thread)."""
    made(tmp_path, ONE)
    many = min(32, (os.cpu_count() or 1) + 4) + 1

    async def run() -> None:
        async with raw_server(HANGS) as server:
            sections = {f"hung{n}": Retrieve(path=tmp_path, engine=server.url) for n in range(many)}
            collections = Collections(sections | {"docs": Retrieve(path=tmp_path)}, lambda _: Identified())
            opening = asyncio.create_task(collections.open())
            await until(lambda: server.open >= many)
            await until(lambda: "docs" in collections)
            await opening
            assert len(collections.faults()) == many
            await collections.aclose()

    asyncio.run(run())


def test_an_engine_that_is_away_at_the_start_is_a_fault_until_it_comes() -> None:
    scripted = Scripted(fault=AWAY)

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        assert (list(collections), len(collections.faults()), loads) == ([], 1, [])
        scripted.fault = None
        await until(lambda: "docs" in collections)
        assert collections.faults() == []

    play(scripted, scenario)


def test_what_cannot_be_served_is_refused_and_the_last_good_version_goes_on() -> None:
    scripted = Scripted()

    async def scenario(collections: Collections, loads: list[tuple[str, str]]) -> None:
        scripted.version, scripted.embedder = "v2", "another"
        await until(lambda: bool(collections.warnings()))
        assert "was built with another" in collections.warnings()[0]
        await asyncio.sleep(2 * LOOK_S)
        assert (collections["docs"].version, loads) == ("v1", [("docs", "loaded"), ("docs", "refused")])
        scripted.version = None
        await until(lambda: "was not published" in str(collections.warnings()))
        assert collections["docs"].version == "v1"

    play(scripted, scenario)

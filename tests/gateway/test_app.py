"""The gateway put together: what must be right at once, what may come later, and that everything is closed."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway import app
from gateway.app import start
from gateway.settings import SettingsError
from gateway.state import Hold, StateUnavailable
from gateway.state.limits import parse_limit
from gateway.state.open import open_state
from gateway.state.owners import owner
from prompts.errors import LibraryError
from prompts.library import Library
from tests.fakes.backend import HANG, FakeBackend, Script, words
from tests.gateway.assembled import given, settings
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make
from tests.gateway.waiting import waited

GONE = "http://127.0.0.1:9"  # the discard port: nothing listens
OURS = ("sqlite-", "embedder")


def starting(folder: Path, **sections: Any) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            await start(settings(GONE, GONE, folder, **sections), stack)

    asyncio.run(run())


def test_it_starts_without_its_backends_and_collections_and_says_what_is_missing(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with AsyncExitStack() as stack:
            sections: dict[str, Any] = {"retrieve": {"docs": {"path": tmp_path / "none"}}}
            runtime = await start(settings(GONE, GONE, tmp_path, **sections), stack)
            return runtime.faults()

    faults = asyncio.run(run())
    assert any(fault.startswith("model 'small'") for fault in faults)
    assert any("collection 'none' does not exist" in fault for fault in faults)
    assert "embedder: still loading" in faults


def test_it_is_ready_once_all_is_there(make: Make) -> None:
    gateway = make()
    waited(lambda: gateway.runtime.faults() == [])


SEMANTIC = (
    "---\ndescription: d\nvariables: {type: object, properties: {q: {type: string}}}\nquestion: q\ncache: semantic\n"
)
FOUND = SEMANTIC + "retrieve: {collection: docs}\n"
BODY = '---\n{% message role="user" %}{{ q }}{% endmessage %}\n'


@pytest.mark.parametrize(
    ("sections", "template", "embeds"),
    [
        ({}, None, False),
        ({"retrieve": {"docs": {"path": "docs"}}}, None, True),
        ({"cache": {"plain": "semantic"}}, None, True),
        ({"cache": {"plain": "semantic", "semantic": "off"}}, None, False),
        ({}, SEMANTIC, True),
        ({}, FOUND, False),  # its collection is not there, so nothing can ask for it
    ],
    ids=[
        "nothing",
        "a collection",
        "similar questions",
        "no similarity",
        "a template",
        "a template without its collection",
    ],
)
def test_the_embedder_is_loaded_where_it_will_be_used(
    tmp_path: Path, sections: dict[str, Any], template: str | None, embeds: bool
) -> None:
    (tmp_path / "templates").mkdir()
    if template:
        (tmp_path / "templates" / "asks.md.j2").write_text(template + BODY)
    assert app._embeds(settings(GONE, GONE, tmp_path, **sections), Library.load(tmp_path)) is embeds


def test_templates_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "prompts" / "templates").mkdir(parents=True)
    (tmp_path / "prompts" / "templates" / "bad.md.j2").write_text("no header")
    with pytest.raises(LibraryError):
        starting(tmp_path, build={"prompts": tmp_path / "prompts"})


def test_a_secret_that_is_not_set_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    backends = {name: {"url": GONE, "api_key_env": "NO_SUCH_KEY"} for name in ("first", "second")}
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        starting(tmp_path, backends=backends)


def test_a_state_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StateUnavailable):
        starting(tmp_path)


def test_the_end_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # the gateways that other tests share have theirs
    starting(tmp_path)
    assert [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith(OURS)] == []


def test_a_dead_neighbours_holds_are_settled_while_this_one_runs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only at the start: a process may die beside one that lives on the same state."""
    monkeypatch.setattr(app, "RECOVER_S", 0.05)
    gateway = make()
    node, boot, *_ = owner().split("/")
    limit = parse_limit("tokens/day=100")
    dead = Hold("orphan", "acme", "k", f"{node}/{boot}/999999999/1", {"tokens": 10}, (limit,), (), time.time())
    gateway.do(gateway.runtime.state.budgets.hold(dead))
    waited(lambda: gateway.holds() == [])


def test_the_store_stays_open_until_cut_requests_are_settled(tmp_path: Path) -> None:
    """At the end of its grace a server cancels what runs, and closes the application without waiting for it."""
    asked = call(who=caller("cut"))

    async def run() -> None:
        async with FakeBackend() as fake:
            fake.plan(Script((*words("a", "b"), HANG)))
            async with AsyncExitStack() as stack:
                runtime = await start(settings(fake.url, fake.url, tmp_path), stack)
                answers = runtime.pipeline.run(asked)
                await given(answers, 3)  # Opened and two deltas
                task = asyncio.ensure_future(_rest(answers))
                asyncio.get_running_loop().call_later(2, task.cancel)
            assert task.done()

    asyncio.run(run())

    async def kept() -> dict[str, Any] | None:
        state = await open_state(f"sqlite:///{tmp_path}/state.db")
        try:
            return await state.journal.read(asked.request_id)
        finally:
            await state.close()

    row = asyncio.run(kept())
    assert row is not None
    assert (row["status"], row["output_tokens"]) == (499, 2)


async def _rest(answers: AsyncGenerator[Any, None]) -> None:
    async with aclosing(answers):
        async for _ in answers:
            pass

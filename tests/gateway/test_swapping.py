"""A collection that changes while requests run: none fails, and each is answered from one version that there was."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Retrieval
from retrieval.collection import layout, rollback
from tests.fakes.backend import Script, Seen, said
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, Outcome, assembled
from tests.gateway.calls import call, caller
from tests.gateway.made import Page, made
from tests.gateway.waiting import until

QUESTION = "Which edition of the handbook is this?"
AT_ONCE = 8


def edition(number: int) -> dict[str, Page]:
    return {"handbook.md": Page(f"This is edition {number} of the handbook.")}


def echoed(seen: Seen) -> Script:
    """Answers with the edition that stands in the prompt's passages."""
    (number,) = re.findall(r"edition (\d+) of the handbook", str(seen.body))
    return Script(said(f"Edition {number} [1]."))


@pytest.mark.parametrize("requests", [200, pytest.param(5000, marks=pytest.mark.prove)])
def test_requests_go_on_while_versions_come_and_go(tmp_path: Path, requests: int) -> None:
    folder = tmp_path / "docs"
    numbers = {made(folder, edition(0)).version: 0}

    def change(step: int) -> None:
        """An edition comes, another document comes and goes, and every third time the last change is undone."""
        if step % 3 == 2:
            rollback(folder)
        else:
            pages = edition(step) | ({"more.md": Page("More.")} if step % 2 else {})
            numbers[made(folder, pages, remove=[] if step % 2 else ["more.md"]).version] = step

    with running(assembled(tmp_path, retrieve={"docs": {"path": folder, "floor": 0.0}})) as gateway:
        gateway.fake.usual = echoed
        outcomes = gateway.do(_under_load(gateway, folder, requests, change))
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    told = [(outcome.closed.gateway["retrieve"]["version"], outcome.text) for outcome in outcomes]
    assert [(version, text) for version, text in told if text != f"Edition {numbers[version]} [1]."] == []
    hits = [outcome for outcome in outcomes if outcome.cache["verdict"] == "exact"]
    assert len(hits) > requests / 4
    assert len({o.closed.gateway["retrieve"]["version"] for o in hits}) > 1


async def _under_load(gateway: Assembled, folder: Path, requests: int, change: Callable[[int], None]) -> list[Outcome]:
    """Requests of two tenants, some cached and some not, until so many were answered, from three versions at least."""
    outcomes: list[Outcome] = []
    versions: set[str] = set()
    who, changes = [caller(limits=()), caller(limits=())], 0

    def done() -> bool:
        return len(outcomes) >= requests and changes >= 3 and len(versions) >= 3

    async def ask(worker: int) -> None:
        options: dict[str, Any] = {"retrieve": Retrieval("docs")} | ({"cache": "skip"} if worker % 4 == 3 else {})
        while not done():
            outcomes.append(await gateway.reading(call(QUESTION, who=who[worker % 2], **options)))
            if outcomes[-1].error is None:
                versions.add(outcomes[-1].closed.gateway["retrieve"]["version"])
            await asyncio.sleep(0.02)

    async def swap() -> None:
        nonlocal changes
        while not done():
            await asyncio.to_thread(change, changes + 1)
            current = layout.current(folder)
            await until(lambda current=current: gateway.runtime.collections["docs"].version == current)  # type: ignore[misc]
            changes += 1

    await asyncio.gather(swap(), *(ask(worker) for worker in range(AT_ONCE)))
    return outcomes

"""cache: counting and purging kept answers."""

import asyncio
from pathlib import Path

from gateway.state import Entry
from gateway.state.open import open_state
from tests.gateway.cli.conftest import Tollgate


def keep(config: Path, *tags: str) -> None:
    """One answer for each tag."""

    async def kept() -> None:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        for tag in tags:
            await state.answers.put(Entry(f"key of {tag}", "partition", b"{}", 0.0, 4e9, tags=(tag,)))
        await state.close()

    asyncio.run(kept())


def test_a_purge_removes_what_has_the_tag(tollgate: Tollgate, config: Path) -> None:
    keep(config, "tenant:a", "tenant:b", "tenant:c")
    assert tollgate("cache", "stats", "--config", config, "--json").json == [{"entries": 3}]
    assert tollgate("cache", "purge", "--tag", "tenant:b", "--config", config, "--json").json == [{"removed": 1}]
    assert tollgate("cache", "purge", "--config", config, "--json").json == [{"removed": 2}]
    assert tollgate("cache", "stats", "--config", config, "--json").json == [{"entries": 0}]

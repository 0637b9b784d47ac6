"""cache: counting and purging kept answers."""

import asyncio
from pathlib import Path

from gateway.state import Entry, Observation
from gateway.state.open import open_state
from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.journal import record, write


def keep(config: Path, *tags: str) -> None:
    """One answer for each tag."""

    async def kept() -> None:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        for tag in tags:
            await state.answers.put(Entry(f"key of {tag}", "partition", b"{}", 0.0, 4e9, tags=(tag,)))
        await state.close()

    asyncio.run(kept())


def observe(config: Path, observation: Observation) -> None:
    async def observed() -> None:
        state = await open_state(f"sqlite:///{config.parent}/state.db")
        await state.feedback.observe(observation)
        await state.close()

    asyncio.run(observed())


def test_a_purge_removes_what_has_the_tag(tollgate: Tollgate, config: Path) -> None:
    keep(config, "tenant:a", "tenant:b", "tenant:c")
    assert tollgate("cache", "stats", "--config", config, "--json").json[0]["entries"] == 3
    assert tollgate("cache", "purge", "--tag", "tenant:b", "--config", config, "--json").json == [{"removed": 1}]
    assert tollgate("cache", "purge", "--config", config, "--json").json == [{"removed": 2}]
    assert tollgate("cache", "stats", "--config", config, "--json").json[0]["entries"] == 0


def test_a_tag_that_no_answer_can_have_is_wrong_usage(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("cache", "purge", "--tag", "tenants:b", "--config", config)
    assert ran.code == 2
    assert "tenant:" in ran.err


def test_stats_tell_what_was_saved_and_observed(tollgate: Tollgate, config: Path) -> None:
    told = {"tokens": {"input": 100, "output": 40, "cached": 0}}
    write(config, record(cache="exact", gateway=told, stages=[]))
    observe(config, Observation("tenant:acme:answer:small", "k", 0.97, 0.99, True, 0.0))
    (stats,) = tollgate("cache", "stats", "--config", config, "--json").json
    assert (stats["exact"], stats["output_tokens"], stats["pools"][0]["seen"]) == (1, 40, 1)
    assert "tenant:acme:answer:small" in tollgate("cache", "stats", "--config", config).out

"""Random conversations with random passages, in random windows, under three vocabularies: what is sent always fits, is
counted as it is sent, and leaves little of the room empty where anything was cut: at most 5%, or less than the call
of a tool takes, where one was left out.

The stages are the gateway's own, on a real collection; only vectors are drawn from words instead of a model.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from gateway.errors import ContextLengthExceeded
from gateway.exchange import Call, Packed, Plan, Retrieval, Snapshot
from gateway.models import Model
from gateway.schemas import Schemas
from gateway.settings import Retrieve as Section
from gateway.settings import Settings
from gateway.shots import Selection
from gateway.stages.build import Build
from gateway.stages.guard import Guard
from gateway.stages.preflight import Preflight, request
from gateway.stages.retrieve import Retrieve
from gateway.stages.truncate import Truncate
from gateway.truncation.shortening import MARK
from prompts.library import Library
from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.query import Vectors
from retrieval.weights import MINILM
from serving.pool import Pool
from tests.gateway.calls import call
from tests.gateway.indexes import Identified
from tests.gateway.made import Page, drawn, made
from tests.gateway.truncation.counters import KINDS, conversation, counter, looked_up, said

ROOT = Path(__file__).parents[3]


class Drawn(Identified):
    """Makes vectors of words."""

    async def embed(self, texts: Sequence[str], asker: str = "") -> Vectors:
        return drawn(texts)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = random.Random("pages")
    folder = tmp_path_factory.mktemp("pages")
    made(folder, {f"page-{n}": Page(said(rng, rng.randrange(5, 250))) for n in range(60)})
    return folder


@cache
def collection(folder: Path) -> Collection:
    return Collection.load(folder, MINILM.identity)


@cache
def library() -> Library:
    return Library.load(ROOT / "prompts")


async def planned(asked: Call, kind: str, window: int, ceiling: int, docs: Snapshot) -> tuple[Plan, Packed]:
    """The stages up to where the prompt leaves."""
    settings = Settings.model_validate({"retrieve": {"docs": {"path": docs.section.path}}})
    models = {"small": Model("small", "tiny", Pool([]), counter(kind), window, ceiling)}
    preflight = Preflight(models, settings.check.rounds)
    truncate = Truncate(models, preflight.count)
    sized = await truncate(
        asked, await Build(library(), models, {"docs": docs}, Schemas(), settings, Selection(Embedder()))(asked)
    )
    plan = await preflight(asked, sized.prompt, sized.input)
    return plan, await Retrieve(models, b"secret", Guard(), truncate)(asked, sized.prompt, plan)


def least(asked: Call, packed: Packed, kind: str) -> int:
    """Tokens of a call that was left out, with nothing of what the tool said: it goes whole or stays. 0 without one."""
    calls = [one for one in asked.messages if one.get("tool_calls")]
    if all(one in packed.prompt.kept.messages for one in calls):
        return 0
    user = {"role": "user", "content": "Hi"}
    lengths = [
        asyncio.run(counter(kind).count({"messages": said})).tokens
        for said in ([user], [user, *looked_up("call-1", MARK)])
    ]
    return lengths[1] - lengths[0]


def proven(seeds: range, kind: str, folder: Path) -> None:
    cuts = 0
    for seed in seeds:
        rng = random.Random(seed)
        window, ceiling, most = rng.randrange(1500, 6000), rng.randrange(1, 500), rng.randrange(50, 1200)
        retrieve = Retrieval("docs", rng.randrange(1, 12)) if rng.random() < 0.7 else None
        asked = call(messages=conversation(rng), truncate="middle", retrieve=retrieve)
        if rng.random() < 0.4:
            asked = call(messages=asked.messages, truncate="oldest", retrieve=retrieve)
        try:
            docs = Snapshot("docs", collection(folder), Section(path=folder, max_tokens=most, floor=0.0), Drawn())
            plan, packed = asyncio.run(planned(asked, kind, window, ceiling, docs))
        except ContextLengthExceeded:
            assert asked.options.truncate == "oldest", seed
            continue
        tokens = asyncio.run(counter(kind).count(request(packed.prompt))).tokens
        assert packed.input.tokens == tokens, seed
        assert tokens + plan.output <= window, seed
        assert tokens <= plan.attempts[0].input, seed
        kept = [one for one in packed.prompt.kept.messages if one["role"] == "system"]
        assert kept == [one for one in asked.messages if one["role"] == "system"], seed
        if packed.prompt.cut:
            cuts += 1
            left = window - ceiling - tokens
            assert left <= 0.05 * (window - ceiling) or left < least(asked, packed, kind), (seed, tokens, left)
    assert cuts > len(seeds) / 4


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_fits_and_leaves_little_room_empty(pages: Path, kind: str) -> None:
    proven(range(25), kind, pages)


@pytest.mark.prove
@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_conversations_and_passages_fit(pages: Path, kind: str) -> None:
    proven(range(2000), kind, pages)

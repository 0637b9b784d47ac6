"""What may never be mixed: tenants, and questions behind one long prompt. A shared store that is emptied is a miss."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from gateway.errors import CacheOnly
from gateway.exchange import Caller, Hit, Miss, Verdict
from gateway.shielded import drained
from serving.events import Choice, Completion, Start, Usage
from tests.fakes.background import running
from tests.fakes.redis import RedisServer
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import call, caller, template

ROOT = Path(__file__).parents[3]
TOPICS = ("a bridge", "bread", "the moon", "a violin", "rain", "a bank", "glass", "an owl", "salt", "a clock")
ASPECTS = ("cost", "weigh", "look like", "sound like", "need", "bring", "follow", "replace", "teach", "hide")
PLACES = ("", " in Japan", " at sea", " in winter", " on Mars", " in 1900")
SLICE = 50  # calls in one turn of the gateway's loop
KEPT = Completion(Start("id", 1, "small"), (Choice(0, {"role": "assistant", "content": "So."}, "stop"),), Usage(9, 1))


def questions(many: int) -> list[str]:
    """Unrelated to each other."""
    made = [f"What does {topic} {aspect}{where}?" for where in PLACES for aspect in ASPECTS for topic in TOPICS]
    return made[:many]


def head() -> str:
    """A system prompt of more word pieces than the embedder reads: of questions behind it, it would see nothing."""
    pages = sorted((ROOT / "documents").glob("*.md"))
    return " ".join(" ".join(page.read_text() for page in pages[:4]).split()[:400])


def slices(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[begin : begin + SLICE] for begin in range(0, len(texts), SLICE)]


async def unrelated(core: Assembled, who: Caller, texts: Sequence[str]) -> list[dict[str, Any]]:
    system = {"role": "system", "content": head()}
    asked = [call(who=who, messages=(system, {"role": "user", "content": text}), semantic=True) for text in texts]
    return [(await core.reading(one)).cache for one in asked]


@pytest.mark.parametrize("many", [40, pytest.param(600, marks=pytest.mark.prove)])
def test_questions_behind_one_long_prompt_do_not_hit_each_other(core: Assembled, many: int) -> None:
    who, texts = caller(limits=()), questions(many)
    told = [one for piece in slices(texts) for one in core.do(unrelated(core, who, piece))]
    assert [one for one in told if one["verdict"] != "miss"] == []
    assert sum("score" in one for one in told) == many - 1  # each was compared with those before it


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("many", [300, pytest.param(100_000, marks=pytest.mark.prove)])
def test_two_tenants_with_equal_texts_never_hit_each_other(core: Assembled, many: int) -> None:
    """Exact for all; similarity looks at one in SLICE."""
    one, other = caller("one-of-two", ()), caller("other-of-two", ())
    texts = [f"Question {number}: what is right?" for number in range(many)]
    assert sum(core.do(crossings(core, one, other, piece)) for piece in slices(texts)) == 0


async def crossings(core: Assembled, one: Caller, other: Caller, texts: Sequence[str]) -> int:
    """Hits of the second tenant on what the first has kept; the first one hits all of its own."""
    asked = [(text, number == 0) for number, text in enumerate(texts)]
    for text in asked:
        await keep(core, one, *text)
    await drained()
    assert all([await looked(core, one, *text) for text in asked])
    return sum([await looked(core, other, *text) for text in asked])


async def keep(core: Assembled, who: Caller, text: str, semantic: bool) -> None:
    """As the pipeline does, without a backend."""
    asked = call(text, who=who, semantic=semantic, cache="refresh")
    pipeline = core.runtime.pipeline
    found = await pipeline.cache(asked, await pipeline.build(asked))
    assert isinstance(found, Miss)
    await pipeline.cache.keep(asked, found, KEPT, Verdict("complete", "stop"))


async def looked(core: Assembled, who: Caller, text: str, semantic: bool) -> bool:
    asked = call(text, who=who, semantic=semantic, cache="only")
    pipeline = core.runtime.pipeline
    try:
        return isinstance(await pipeline.cache(asked, await pipeline.build(asked)), Hit)
    except CacheOnly:
        return False


def test_the_time_tells_nobody_what_other_tenants_have_asked(core: Assembled) -> None:
    """A vector is remembered for who asked."""
    asked = template("advise", question="Why does our customer Miller want to leave?", audience="experts")
    who = [core.ask(who=caller(), **asked).call.caller.tenant for _ in range(2)]
    known = core.runtime.pipeline.cache._similar._embedder._known
    assert [tenant for tenant, text in known if "Miller" in text] == who


@pytest.fixture(scope="module")
def on_redis(prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Assembled, RedisServer]]:
    folder = tmp_path_factory.mktemp("redis")
    with RedisServer(folder / "redis") as server:
        state = {"url": server.url, "ledger": f"sqlite:///{folder}/ledger.db"}
        with running(assembled(folder, build={"prompts": prompts}, state=state)) as gateway:
            yield gateway, server


def test_a_store_that_is_emptied_is_a_miss(on_redis: tuple[Assembled, RedisServer]) -> None:
    gateway, server = on_redis
    who = caller()
    first, again = "What is the use of a key-value cache?", "What's the use of a key-value cache?"
    for emptied in (False, True):
        asked = [
            gateway.ask(who=who, **template("advise", question=text, audience="experts"))
            for text in (first, again, first)
        ]
        assert [one.error for one in asked] == [None, None, None]
        assert [one.cache["verdict"] for one in asked] == ["miss", "semantic", "exact"], emptied
        redis.Redis.from_url(server.url).flushall()

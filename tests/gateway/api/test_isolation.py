"""Who finds what, over HTTP: every tenant, every set of access labels, every collection, with and without the cache.

Each document says its own name, and the backend answers with the names that stand in its prompt; so an answer tells
what its request was shown, whether it was made or found in the cache.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Retrieve
from tests.fakes.backend import FakeBackend, Script, Seen, said
from tests.fakes.background import running
from tests.gateway.api.conftest import Gateway, gateway_with, settings
from tests.gateway.made import Page, made

LABELS = ("board", "hr", "staff")
TEAMS = ("people", "legal")
SETS = tuple(chain.from_iterable(combinations(LABELS, size) for size in range(len(LABELS) + 1)))
TENANTS = ("acme", "globex", "initech")
OWNERS: Mapping[str, list[str] | None] = {"open": None, "acmes": ["acme"], "both": ["acme", "globex"]}
QUESTION = "Which secret documents are there?"


@dataclass(frozen=True, slots=True)
class World:
    gateway: Gateway
    keys: Mapping[tuple[str, tuple[str, ...]], str]

    def ask(self, tenant: str, labels: tuple[str, ...], retrieve: Any, cache: str = "use") -> tuple[int, Any]:
        """The status, and the names that the answer gives or the error's code."""
        body = {
            "model": "small",
            "messages": [{"role": "user", "content": QUESTION}],
            "gateway": {"cache": cache, "retrieve": retrieve},
        }
        answer = self.gateway.chat(body, self.keys[tenant, labels])
        if answer.status_code != 200:
            return answer.status_code, answer.json()["error"]["code"]
        return 200, set(answer.json()["choices"][0]["message"]["content"].split())


def name(collection: str, labels: tuple[str, ...], team: str) -> str:
    return "-".join(("doc", collection, team, *labels, "end"))  # none is a part of another, which would be dropped


def echoed(seen: Seen) -> Script:
    return Script(said(" ".join(re.findall(r"doc-[a-z-]+", str(seen.body))) or "none"))


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[Gateway]:
    sections = {}
    for collection, tenants in OWNERS.items():
        documents = {name(collection, labels, team): (labels, team) for labels, team in product(SETS, TEAMS)}
        pages = {id: Page(f"Secret {id}.", labels, {"team": team}) for id, (labels, team) in documents.items()}
        made(folder / collection, pages)
        sections[collection] = Retrieve(path=folder / collection, tenants=tenants, floor=0.0, max_tokens=3000)
    async with FakeBackend() as fake:
        fake.usual = echoed
        own = settings(fake.url, folder).model_copy(update={"retrieve": sections})
        async with gateway_with(own, fake) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def world(admin_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(_world(tmp_path_factory.mktemp("isolated"))) as gateway:
        for tenant in TENANTS:
            assert gateway.admin("POST", "/tenants", json={"name": tenant}).status_code == 201
        yield World(gateway, {who: _key(gateway, *who) for who in product(TENANTS, SETS)})


def _key(gateway: Gateway, tenant: str, labels: tuple[str, ...]) -> str:
    answer = gateway.admin("POST", "/keys", json={"tenant": tenant, "scopes": {"access": labels}})
    return str(answer.json()["key"])


def visible(collection: str, labels: tuple[str, ...], teams: tuple[str, ...] = TEAMS) -> set[str]:
    there = [team for team in TEAMS if team in teams]
    return {name(collection, has, team) for has, team in product(SETS, there) if set(has) <= set(labels)}


@pytest.mark.parametrize("collection", OWNERS)
def test_each_key_finds_exactly_what_its_tenant_and_labels_let_it(world: World, collection: str) -> None:
    """Twice: the second answers are the cache's, of whoever asked the same before."""
    wanted = {"collection": collection, "top_k": 50}
    owners = OWNERS[collection]
    for _ in range(2):
        for tenant, labels in product(TENANTS, SETS):
            found = world.ask(tenant, labels, wanted)
            may = owners is None or tenant in owners
            assert found == ((200, visible(collection, labels)) if may else (403, "not_allowed")), (tenant, labels)


@pytest.mark.parametrize("teams", [("people",), ("legal",), ("legal", "people"), ("nobody",)])
def test_a_filter_narrows_what_labels_allow(world: World, teams: tuple[str, ...]) -> None:
    for labels in SETS:
        where = {"team": list(teams) if len(teams) > 1 else teams[0]}
        status, found = world.ask("acme", labels, {"collection": "open", "top_k": 50, "filter": where})
        assert (status, found - {"none"}) == (200, visible("open", labels, teams)), labels


def test_a_request_cannot_give_itself_a_label(world: World) -> None:
    smuggled: tuple[dict[str, Any], ...] = ({"access": ["hr"]}, {"scope": {}}, {"labels": "hr"})
    for more in smuggled:
        assert world.ask("acme", (), {"collection": "open", **more}) == (400, "invalid_value")


def test_what_is_not_there_is_not_found(world: World) -> None:
    assert world.ask("acme", (), {"collection": "nowhere"}) == (404, "collection_not_found")

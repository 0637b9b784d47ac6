"""selection: by the real embedder and FAISS; the first ones where nothing can be compared, and that is told."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.shots import Selection, shown
from gateway.shots.nearest import Nearest
from retrieval.embed import Embedder
from retrieval.weights import MINILM
from tests.gateway.shots.examples import PAIRS, kinds

QUESTION = "I forgot my password and cannot sign in."
SIMILAR, BALANCED = "shots: {select: similar, count: 3}", "shots: {select: balanced, count: 6, label: kind}"


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    made = Embedder()
    yield made
    made.close()


def test_the_most_similar_examples_are_of_the_questions_kind(embedder: Embedder) -> None:
    chosen = asyncio.run(Selection(embedder)(kinds(SIMILAR), QUESTION, "acme"))
    assert {PAIRS[place][1] for place in chosen.examples} == {"login"}
    assert list(chosen.scores) == sorted(chosen.scores, reverse=True)
    assert chosen.facts().keys() == {"select", "examples", "scores"}


def test_balanced_has_each_label_twice_the_questions_own_first(embedder: Embedder) -> None:
    chosen = asyncio.run(Selection(embedder)(kinds(BALANCED), QUESTION, "acme")).examples
    labels = [PAIRS[place][1] for place in chosen]
    assert labels[0] == "login"
    assert sorted(labels) == ["billing"] * 2 + ["login"] * 2 + ["shipping"] * 2


def test_the_same_question_has_the_same_examples_whoever_else_asks(embedder: Embedder) -> None:
    async def asked() -> list[tuple[int, ...]]:
        selection, template = Selection(embedder), kinds(SIMILAR)
        texts = [QUESTION, *(f"{QUESTION} {n}" for n in range(20)), QUESTION]
        found = await asyncio.gather(*(selection(template, text, text) for text in texts))
        return [one.examples for one in found]

    first, *_, last = asyncio.run(asked())
    assert first == last


def test_examples_of_a_version_are_embedded_once_and_few_versions_kept(embedder: Embedder) -> None:
    async def asked() -> tuple[list[str], list[str]]:
        nearest, versions = Nearest(embedder, kept=2), [kinds(f"{SIMILAR}\nowner: v{n}") for n in range(3)]
        for version in (*versions, versions[-1]):
            await nearest.scores(version, QUESTION, "acme")
        return list(nearest._making), [one.digest for one in versions]

    kept, asked_for = asyncio.run(asked())
    assert kept == asked_for[1:]


def test_who_leaves_while_the_index_is_made_takes_it_from_nobody(embedder: Embedder) -> None:
    async def asked() -> list[float]:
        nearest, template = Nearest(embedder), kinds(SIMILAR)
        leaves = asyncio.create_task(nearest.scores(template, QUESTION, "acme"))
        stays = asyncio.create_task(nearest.scores(template, QUESTION, "acme"))
        await asyncio.sleep(0)
        leaves.cancel()
        return await stays

    assert len(asyncio.run(asked())) == len(PAIRS)


def test_without_an_embedder_they_are_the_first_ones_and_it_is_told(tmp_path: Path) -> None:
    away = Embedder(replace(MINILM, folder=tmp_path))  # which holds no model
    chosen = asyncio.run(Selection(away)(kinds(SIMILAR), QUESTION, "acme"))
    away.close()
    assert (chosen.examples, chosen.select) == ((0, 1, 2), "similar")
    assert "fixed: the embedder does not answer" in chosen.facts()["instead"]


def test_fixed_ones_need_no_embedder(tmp_path: Path) -> None:
    away = Embedder(replace(MINILM, folder=tmp_path))
    chosen = asyncio.run(Selection(away)(kinds("shots: {count: 2}"), QUESTION, "acme"))
    away.close()
    assert chosen.facts() == {"select": "fixed", "examples": [0, 1]}


def test_a_command_shows_what_a_request_is_given_in_the_order_of_the_file(embedder: Embedder) -> None:
    template = kinds(SIMILAR)
    chosen = asyncio.run(Selection(embedder)(template, QUESTION, "acme")).examples
    assert shown(template, {"ticket": QUESTION}) == [template.shots[place] for place in sorted(chosen)]
    assert shown(template, {}) == list(template.shots[:3])
    assert shown(kinds(), {"ticket": QUESTION}) == list(template.shots)

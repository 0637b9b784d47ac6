"""The chain on the sample pages: what answers a question is among the passages of its prompt, and citations resolve."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from retrieval.document import Source
from retrieval.embed import Embedder
from retrieval.ingest import build
from retrieval.parsing import markdown
from tests.conftest import TINY_MODEL
from tests.fakes.backend import Script, Seen, said
from tests.fakes.background import running
from tests.gateway.assembled import ROOT, Assembled, Outcome, assembled
from tests.gateway.calls import template

PAGES = ROOT / "documents"
QUESTIONS = [json.loads(line) for line in (ROOT / "tests/retrieval/questions.jsonl").read_text().splitlines()]
LISTED = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


def citing(seen: Seen) -> Script:
    """An answer that cites every passage of its prompt."""
    numbers = LISTED.findall(seen.body["messages"][-1]["content"])
    return Script(said(" ".join(f"So it is [{number}]." for number, _ in numbers)))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    folder = tmp_path_factory.mktemp("samples")
    embedder = Embedder()
    build(PAGES, folder / "docs", embedder, lambda progress: None)
    embedder.close()
    sections: dict[str, Any] = {
        "models": {"small": {"backends": ["first"], "tokenizer": TINY_MODEL, "max_output": 64}},
        "retrieve": {"docs": {"path": folder / "docs"}},
    }
    with running(assembled(folder, tokenize=False, **sections)) as gateway:
        gateway.fake.usual = citing
        yield gateway


@pytest.fixture(scope="module")
def outcomes(samples: Assembled) -> list[tuple[dict[str, str], str, Outcome]]:
    """Each question with the prompt that was sent for it and its answer."""
    asked = []
    for question in QUESTIONS:
        outcome = samples.ask(**template("answer", question=question["question"]), cache="skip")
        asked.append((question, samples.chats()[-1].body["messages"][-1]["content"], outcome))
    return asked


def test_the_passage_that_answers_is_packed(outcomes: list[tuple[dict[str, str], str, Outcome]]) -> None:
    """100 of 100 when written."""
    missed = [
        question["question"]
        for question, prompt, _ in outcomes
        if not any(heading.endswith(f" > {question['heading']}") for _, heading in LISTED.findall(prompt))
    ]
    assert len(outcomes) == 100
    assert len(missed) <= 10, missed


def test_every_citation_leads_to_its_place_in_its_document(
    outcomes: list[tuple[dict[str, str], str, Outcome]],
) -> None:
    texts = {page.name: markdown.parse(Source(page.name, page.read_bytes())).text for page in PAGES.glob("*.md")}
    for _, prompt, outcome in outcomes:
        told = outcome.closed.gateway
        headings = dict(LISTED.findall(prompt))
        assert [str(citation["number"]) for citation in told["citations"]] == list(headings)
        assert told["checks"]["unknown_citations"] == []
        for citation in told["citations"]:
            assert citation["heading"] == headings[str(citation["number"])]
            cited = texts[citation["document"]][citation["start"] : citation["end"]]
            assert f"[{citation['number']}] {citation['heading']}\n{cited}\n" in prompt


def test_a_question_about_something_else_gets_no_passages(samples: Assembled) -> None:
    outcome = samples.ask(**template("answer", question="Who won the football cup in 1966?"))
    assert outcome.closed.gateway["retrieve"]["nothing_relevant"] is True
    assert "Passages: none." in samples.chats()[-1].body["messages"][-1]["content"]

"""The sample pages: written for a small model that answers by copying one sentence, and found by their questions."""

import json
import re
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.document import Document, Section, Source
from retrieval.embed import Embedder
from retrieval.parsing import markdown
from retrieval.passage import Passage
from retrieval.query import Query, Scope
from retrieval.search import candidates

FOLDER = Path(__file__).parents[2] / "documents"
PAGES = sorted(FOLDER.glob("*.md"))
QUESTIONS = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text().splitlines()]


def parsed(page: Path) -> Document:
    return markdown.parse(Source(page.name, page.read_bytes()))


def sentences(section: Section) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", section.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_and_each_of_its_sentences_stands_alone(page: Path) -> None:
    document = parsed(page)
    assert 2 <= len(document.sections) <= 4
    for section in document.sections:
        assert 20 <= len(section.text.split()) <= 70, section.heading_path
        assert 2 <= len(sentences(section)) <= 4, section.heading_path
        for sentence in sentences(section):
            assert 8 <= len(sentence.split()) <= 25, sentence
            assert not re.match(r"(It|Its|They|Their|This|These|Those|He|She) ", sentence), sentence


def test_each_section_is_one_passage(samples: Collection) -> None:
    assert samples.documents == len(PAGES)
    assert samples.manifest.left_out == 0
    assert len(samples) == sum(len(parsed(page).sections) for page in PAGES)


def found(samples: Collection, embedder: Embedder, question: str) -> list[Passage]:
    """The four best passages."""
    query = Query((question,), embedder.ask([question]), Scope())
    return [one.passage for one in candidates(samples, query, 4)]


def test_the_passage_that_answers_is_among_the_first_four(samples: Collection, embedder: Embedder) -> None:
    best = {one["question"]: found(samples, embedder, one["question"]) for one in QUESTIONS}
    missed = [
        one["question"]
        for one in QUESTIONS
        if not any(p.document == one["document"] and p.heading.endswith(one["heading"]) for p in best[one["question"]])
    ]
    assert len(QUESTIONS) == 100
    assert len(missed) <= 5, missed


def test_the_question_of_the_readme_finds_the_sentence_that_answers(samples: Collection, embedder: Embedder) -> None:
    best = found(samples, embedder, "What does the KV cache do?")[0]
    assert best.heading == "KV cache > What the KV cache does"
    assert best.text.startswith("The KV cache keeps the keys and values of earlier tokens")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
def test_each_question_names_a_heading_that_exists(question: dict[str, str]) -> None:
    document = parsed(FOLDER / question["document"])
    assert question["heading"] in {section.heading_path[-1] for section in document.sections}

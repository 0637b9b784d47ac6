"""Sentences without support: on real answers and passages, and one by one.

`support.jsonl` holds 36 turns of mtRAG-UN (IBM/mt-rag-benchmark at cc5b1d4, Apache-2.0): reference answers with the
passages that they were written from. Another turn's passages about the same collection are no support.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.passage import Found, Passage
from retrieval.support import unsupported

TURNS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("support.jsonl").read_text("utf-8").splitlines()
]
CACHE = "The KV cache keeps the keys and values of 4,096 earlier tokens, so that no token is computed twice."
TENANTS = "A tenant may be allowed to use only some models, prompts and collections."
LIMIT = "The limit is 500 tokens a minute for each key of a tenant."


def passages(*texts: str) -> list[Found]:
    return [Found(Passage(f"p{n}", "d.md", "T", "Page", text, 0, len(text)), 0.9) for n, text in enumerate(texts, 1)]


def flagged(text: str, *texts: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in unsupported(text, passages(*texts), language)]


def test_real_answers_have_support_in_their_passages_and_none_in_others() -> None:
    """Of all 763 sentences of mtRAG-UN 9% and 92% (see the module)."""
    wrongly = rightly = sentences = 0
    for turn in TURNS:
        other = next(t for t in TURNS[TURNS.index(turn) :] + TURNS if t is not turn and alike(t, turn))
        sentences += len(unsupported(turn["answer"], passages(""), "en"))  # all that state anything
        wrongly += len(flagged(turn["answer"], *turn["passages"]))
        rightly += len(flagged(turn["answer"], *other["passages"]))
    assert sentences > 100
    assert rightly / sentences > 0.85, rightly / sentences
    assert wrongly / sentences < 0.15, wrongly / sentences
    assert rightly / (rightly + wrongly) > 0.85, "precision"


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["collection"] == other["collection"])


@pytest.mark.parametrize(
    "sentence",
    [
        "The KV cache keeps keys and values of earlier tokens [1].",
        "Keys and values of 4096 tokens are kept [1].",  # another form, another way to write the number
        "A tenant may be allowed only some models [2].",
        "The cache computes no token twice, and a tenant may use some collections [1, 2].",
        "Page: computed tokens are kept.",  # the heading's words count; without a citation any passage does
        "Yes.",
        "The passages do not say.",
        "1. Sure [9].",
        "",
    ],
)
def test_what_has_support_or_states_nothing(sentence: str) -> None:
    assert flagged(sentence, CACHE, TENANTS) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Penguins eat fish and small squid in winter [1].",
        "A tenant may be allowed only some models [1].",  # that is the second passage
        "A tenant may be allowed only some models [7].",  # that there is not
        "The KV cache keeps the keys and values of 4,095 earlier tokens [1].",
        "Penguins eat fish and small squid in winter.",
    ],
)
def test_what_has_none(sentence: str) -> None:
    assert flagged(sentence, CACHE, TENANTS) == [sentence]


def test_a_number_must_stand_in_the_passage() -> None:
    assert flagged("The limit is 500 tokens a minute [1].", LIMIT) == []
    assert flagged("The limit is 50 tokens a minute [1].", LIMIT) != []


def test_sentences_are_told_by_their_places_with_their_citations() -> None:
    wrong = "Penguins eat fish and squid.  [1] [2]"
    text = f"Keys and values of tokens are kept [1]. {wrong}\n\n- Whales sing very long songs [2]\nYes."
    assert flagged(text, CACHE, TENANTS) == [wrong, "- Whales sing very long songs [2]"]
    assert unsupported(text, passages(CACHE, TENANTS), "en")[0] == (text.index(wrong), text.index(wrong) + len(wrong))


def test_without_passages_or_a_language_nothing_is_flagged() -> None:
    assert unsupported("Penguins eat fish and squid [1].", [], "en") == []
    assert flagged("Penguins eat fish and squid [1].", CACHE, language="") == []


def test_words_are_those_of_the_collections_language() -> None:
    page = "Der Cache behält die Schlüssel und Werte früherer Token."
    assert flagged("Schlüssel und Wert eines früheren Tokens behält der Cache [1].", page, language="de") == []


@given(st.text(alphabet=st.sampled_from("ab1 .!?…[]2,\n") | st.characters(), max_size=200))
def test_any_text_has_sentences_in_order(text: str) -> None:
    spans = unsupported(text, passages(CACHE), "en")
    flat = [place for span in spans for place in span]
    assert flat == sorted(flat)
    assert all(text[start:end].strip() for start, end in spans)

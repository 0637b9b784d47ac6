"""Passages for a question: within the room, the best at the ends, in the messages, and cited afterwards.

The model's own tokenizer counts here (the scripted backend has no /tokenize), so that lengths are real.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidValue, Unavailable
from gateway.exchange import Retrieval
from gateway.rerank import RERANK
from retrieval.embed import Embedder
from retrieval.weights import MINILM
from tests.conftest import TINY_MODEL
from tests.fakes.backend import HANG, JSON, Script, said
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, Outcome, assembled
from tests.gateway.calls import call, caller, template

QUESTION = "What does the KV cache do?"


@pytest.fixture(scope="module")
def counting(docs: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """Alias `narrow` has a small window. Collection `brief` may add 150 tokens at most, `half` 400; of `strict` nothing
    is relevant, of `all` everything; `rated` has a reranker, the second backend's `/rerank`."""
    model = {"backends": ["first"], "tokenizer": TINY_MODEL, "max_output": 64}
    collections: dict[str, dict[str, Any]] = {
        "docs": {},
        "brief": {"max_tokens": 150},
        "half": {"floor": 0.0, "max_tokens": 400},
        "strict": {"floor": 1.0},
        "all": {"floor": 0.0, "max_tokens": 3000},
        "rated": {"floor": 0.0, "rerank": "cross", "rerank_s": 0.5},
    }
    sections: dict[str, Any] = {
        "models": {
            "small": model,
            "narrow": model | {"window": 420},
            "cross": {"backends": ["second"], "scores": True, "window": 512},
        },
        "retrieve": {name: {"path": docs, **more} for name, more in collections.items()},
        "build": {"prompts": prompts},
    }
    with running(assembled(tmp_path_factory.mktemp("counting"), tokenize=False, **sections)) as gateway:
        yield gateway


def facts(gateway: Assembled, outcome: Outcome, stage: str) -> dict[str, Any]:
    assert outcome.error is None
    found: dict[str, Any] = next(
        s["facts"] for s in gateway.row(outcome.call)["detail"]["stages"] if s["stage"] == stage
    )
    return found


def sent(gateway: Assembled) -> str:
    return "\n".join(m["content"] for m in gateway.chats()[-1].body["messages"])


def shown(gateway: Assembled) -> list[str]:
    """The headings of the passages in the last prompt, in its order."""
    return re.findall(r"^\[\d+\] (.*)$", sent(gateway), re.MULTILINE)


def told(outcome: Outcome) -> dict[str, Any]:
    """What the client is told of what was retrieved."""
    return dict(outcome.closed.gateway["retrieve"])


def test_the_best_passage_is_the_first_and_the_second_best_the_last(counting: Assembled) -> None:
    headings = {}
    for top_k in (1, 2, 3):
        counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("docs", top_k))
        headings[top_k] = shown(counting)
    best, second = headings[2]
    assert (headings[1], headings[3][0], headings[3][2]) == ([best], best, second)


def test_passages_are_numbered_and_stand_between_marks_that_only_the_gateway_can_write(counting: Assembled) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION))
    text = sent(counting)
    (fence,) = re.findall(r"^Passages ([0-9a-f]{8}):$", text, re.MULTILINE)
    inside, _, after = text.partition(f"Passages {fence}:\n")[2].partition(f"\nEnd of passages {fence}.")
    assert [line[:4] for line in inside.splitlines() if line.startswith("[")] == ["[1] ", "[2] ", "[3] "]
    assert after.strip() == f"Question: {QUESTION}"
    assert told(outcome) == {
        "collection": "docs",
        "version": counting.runtime.collections["docs"].version,
        "passages": 3,
        "nothing_relevant": False,
    }


def test_the_same_passages_are_the_same_bytes_for_one_tenant(counting: Assembled) -> None:
    """However another question ranks them: so the engine's prefix cache has them."""
    who, everything = caller(), Retrieval("all", 50)
    prompts = []
    for question in (QUESTION, "Which keys and values of tokens are in a cache?"):
        counting.ask(**template("answer", question=question), who=who, retrieve=everything)
        prompts.append(sent(counting).partition("Question:")[0])
    assert prompts[0].count("\n[") > 10
    assert prompts[0] == prompts[1]


def test_a_floor_that_nothing_reaches_gives_no_passages_and_says_so(counting: Assembled) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("strict", 4))
    assert "Passages: none." in sent(counting)
    assert (told(outcome)["passages"], told(outcome)["nothing_relevant"]) == (0, True)
    packed = facts(counting, outcome, "retrieve")
    assert (packed["relevant"], packed["nothing_relevant"]) == (0, True)
    assert packed["considered"] > 0


def test_a_filter_with_no_value_left_finds_nothing(counting: Assembled) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("docs", 4, {"team": ()}))
    assert (told(outcome)["nothing_relevant"], facts(counting, outcome, "retrieve")["considered"]) == (True, 0)


def test_a_question_is_read_in_its_conversation(counting: Assembled) -> None:
    """By itself it names nothing."""
    before = ("What is a tenant?", "What is the temperature of sampling?")
    firsts = []
    for topic in before:
        said = ({"role": "user", "content": topic}, {"role": "assistant", "content": "Well."})
        turns = (*said, {"role": "user", "content": "Can you explain that further?"})
        counting.ask(messages=turns, retrieve=Retrieval("all", 1))
        firsts += shown(counting)
    assert [heading.split(" ")[0] for heading in firsts] == ["Tenants", "Temperature"]


def test_a_rerankers_scores_decide_who_is_shown(counting: Assembled) -> None:
    fused = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("all", 1))
    usual, count = shown(counting), facts(counting, fused, "retrieve")["considered"]

    def asked() -> Outcome:
        return counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("rated", 1), cache="skip")

    counting.spare.answers[RERANK] = rated(count)
    best_last = asked()
    assert facts(counting, best_last, "retrieve")["rerank"] == "done"
    assert shown(counting) != usual
    query = next(seen.body for seen in counting.spare.requests if seen.path == RERANK)
    assert query["query"] == QUESTION
    assert query["documents"][0].startswith(usual[0])
    counting.spare.answers[RERANK] = Script((HANG,))
    late = asked()
    assert "no answer within 0.5 s" in facts(counting, late, "retrieve")["rerank"]
    assert shown(counting) == usual


def rated(count: int) -> Script:
    """Scores as vLLM gives them, the higher the later a text comes."""
    results = [{"index": index, "relevance_score": index / count} for index in range(count)]
    return Script((json.dumps({"results": results}).encode(),), headers=JSON)


@pytest.mark.parametrize("collection", ["docs", "brief"])
def test_the_packed_prompt_is_never_longer_than_planned(counting: Assembled, collection: str) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval(collection, 50))
    plan, packed = facts(counting, outcome, "preflight"), facts(counting, outcome, "retrieve")
    assert 0 < packed["passages"] <= packed["considered"]
    assert plan["input_tokens"] < packed["input_tokens"] <= plan["input_tokens"] + plan["room"]


def test_a_template_that_needs_more_room_than_passages_have_tokens_gets_fewer(counting: Assembled) -> None:
    once = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("half", 50))
    twice = counting.ask(**template("twice", question=QUESTION))
    plan, packed = facts(counting, twice, "preflight"), facts(counting, twice, "retrieve")
    assert 0 < packed["passages"] < facts(counting, once, "retrieve")["passages"]
    assert packed["input_tokens"] <= plan["input_tokens"] + plan["room"]


def test_fewer_passages_fit_less_room(counting: Assembled) -> None:
    many = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("docs", 50))
    few = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("brief", 50))
    assert facts(counting, few, "retrieve")["passages"] < facts(counting, many, "retrieve")["passages"]


def test_passages_are_dropped_where_the_window_is_small(counting: Assembled) -> None:
    asked = template("answer", question=QUESTION) | {"model": "narrow"}
    outcome = counting.ask(**asked, retrieve=Retrieval("docs", 50))
    plan, packed = facts(counting, outcome, "preflight"), facts(counting, outcome, "retrieve")
    assert packed["passages"] < 4
    assert packed["input_tokens"] + plan["output_ceiling"] <= 420


def test_without_room_the_prompt_goes_without_passages(counting: Assembled) -> None:
    asked = template("answer", question=QUESTION + " please" * 100) | {"model": "narrow"}
    outcome = counting.ask(**asked, fields={"max_tokens": 400})
    assert facts(counting, outcome, "retrieve")["passages"] == 0
    assert "Passages: none." in sent(counting)


def test_the_count_after_packing_is_the_one_that_is_told(counting: Assembled) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION))
    assert outcome.closed.gateway["tokens"]["input"] == facts(counting, outcome, "retrieve")["input_tokens"]
    assert outcome.closed.gateway["tokens"]["source"] == "estimate"  # the server was not there to confirm the files


def test_an_apps_own_messages_get_their_passages_before_the_last_turn(counting: Assembled) -> None:
    turns = ({"role": "system", "content": "Be kind."}, {"role": "user", "content": QUESTION})
    counting.ask(messages=turns, retrieve=Retrieval("docs", 2))
    messages = counting.chats()[-1].body["messages"]
    assert [m["role"] for m in messages] == ["system", "system", "user"]
    assert (messages[0], messages[2]) == turns
    assert "[1] " in messages[1]["content"]
    assert "[3] " not in messages[1]["content"]


def test_retrieval_needs_a_question(counting: Assembled) -> None:
    turns = ({"role": "user", "content": "?"}, {"role": "assistant", "content": "Yes."})
    outcome = counting.ask(messages=turns, retrieve=Retrieval("docs"))
    assert isinstance(outcome.error, InvalidValue)
    assert outcome.error.param == "gateway.retrieve"
    counting.assert_settled(outcome.call)


def test_citations_are_resolved_and_unknown_numbers_told(counting: Assembled) -> None:
    counting.fake.plan(Script(said("It keeps keys [2], values [1, 9] and more [2].")))
    outcome = counting.ask(**template("answer", question=QUESTION)).closed.gateway
    assert [c["number"] for c in outcome["citations"]] == [2, 1]
    assert all(c["document"].endswith(".md") and c["passage"] and c["score"] for c in outcome["citations"])
    assert outcome["citations"][1]["document"] == "kv-cache.md"
    assert [c["heading"] for c in outcome["citations"]] == [shown(counting)[1], shown(counting)[0]]
    assert outcome["checks"]["unknown_citations"] == [9]


def test_what_is_cited_where_nothing_relevant_was_found_is_told(counting: Assembled) -> None:
    counting.fake.plan(Script(said("It was in 1815 [1].")))
    asked = template("answer", question="When did the emperor of the French lose at Waterloo?")
    outcome = counting.ask(**asked, retrieve=Retrieval("docs", where={"team": ("nobody",)})).closed.gateway
    assert outcome["retrieve"]["nothing_relevant"]
    assert (outcome["citations"], outcome["checks"]["unknown_citations"]) == ([], [1])


def test_brackets_without_passages_are_no_citations(counting: Assembled) -> None:
    counting.fake.plan(Script(said("See array[1].")))
    outcome = counting.ask("What is first?").closed.gateway
    assert (outcome["citations"], outcome["checks"]["unknown_citations"]) == ([], [])
    assert "retrieve" not in outcome


def test_a_question_that_cannot_be_embedded_is_told_as_such(counting: Assembled, tmp_path: Path) -> None:
    asked = call(**template("answer", question=QUESTION))
    prompt = counting.do(counting.runtime.pipeline.build(asked))
    plan = counting.do(counting.runtime.pipeline.preflight(asked, prompt))
    assert prompt.retrieve is not None
    embedder = Embedder(replace(MINILM, folder=tmp_path))  # which holds no model
    search = replace(prompt.retrieve, snapshot=replace(prompt.retrieve.snapshot, encoder=embedder))
    with pytest.raises(Unavailable, match="cannot be searched with"):
        counting.do(counting.runtime.pipeline.retrieve(asked, replace(prompt, retrieve=search), plan))
    embedder.close()

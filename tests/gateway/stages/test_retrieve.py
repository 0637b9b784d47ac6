"""Passages for a question: within the room, in the order of relevance, in the messages, and cited afterwards.

The model's own tokenizer counts here (the scripted backend has no /tokenize), so that lengths are real.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidValue
from gateway.exchange import Retrieval
from tests.conftest import TINY_MODEL
from tests.fakes.backend import Script, said
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, Outcome, assembled
from tests.gateway.calls import template

QUESTION = "What does the KV cache do?"


@pytest.fixture(scope="module")
def counting(docs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    """Alias `narrow` has a small window; collection `brief` may add 150 tokens at most."""
    model = {"backends": ["first"], "tokenizer": TINY_MODEL, "max_output": 64}
    sections: dict[str, Any] = {
        "models": {"small": model, "narrow": model | {"window": 420}},
        "retrieve": {"docs": {"path": docs, "max_tokens": 1200}, "brief": {"path": docs, "max_tokens": 150}},
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


def test_passages_are_numbered_in_the_order_of_relevance(counting: Assembled) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION))
    packed = facts(counting, outcome, "retrieve")
    assert packed["collection"] == "docs"
    assert packed["considered"] == packed["packed"] == 4
    text = sent(counting)
    places = [text.index(f"[{number}] ") for number in (1, 2, 3, 4)]
    assert places == sorted(places)
    assert "[5] " not in text
    assert text.index("KV cache") < places[1]


@pytest.mark.parametrize("collection", ["docs", "brief"])
def test_the_packed_prompt_is_never_longer_than_planned(counting: Assembled, collection: str) -> None:
    outcome = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval(collection, 50))
    plan, packed = facts(counting, outcome, "preflight"), facts(counting, outcome, "retrieve")
    assert 0 < packed["packed"] <= packed["considered"]
    assert plan["input_tokens"] < packed["input_tokens"] <= plan["input_tokens"] + plan["room"]


def test_fewer_passages_fit_less_room(counting: Assembled) -> None:
    many = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("docs", 50))
    few = counting.ask(**template("answer", question=QUESTION), retrieve=Retrieval("brief", 50))
    assert facts(counting, few, "retrieve")["packed"] < facts(counting, many, "retrieve")["packed"]


def test_passages_are_dropped_where_the_window_is_small(counting: Assembled) -> None:
    asked = template("answer", question=QUESTION) | {"model": "narrow"}
    outcome = counting.ask(**asked, retrieve=Retrieval("docs", 50))
    plan, packed = facts(counting, outcome, "preflight"), facts(counting, outcome, "retrieve")
    assert packed["packed"] < 4
    assert packed["input_tokens"] + plan["output_ceiling"] <= 420


def test_without_room_the_prompt_goes_without_passages(counting: Assembled) -> None:
    asked = template("answer", question=QUESTION + " please" * 100) | {"model": "narrow"}
    outcome = counting.ask(**asked, fields={"max_tokens": 400})
    assert facts(counting, outcome, "retrieve")["packed"] == 0
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
    told = counting.ask(**template("answer", question=QUESTION)).closed.gateway
    assert [c["number"] for c in told["citations"]] == [2, 1]
    assert all(c["document"].endswith(".md") and c["passage"] and c["score"] for c in told["citations"])
    assert told["citations"][1]["document"] == "kv-cache.md"
    assert told["checks"]["unknown_citations"] == [9]


def test_brackets_without_passages_are_no_citations(counting: Assembled) -> None:
    counting.fake.plan(Script(said("See array[1].")))
    told = counting.ask("What is first?").closed.gateway
    assert (told["citations"], told["checks"]["unknown_citations"]) == ([], [])

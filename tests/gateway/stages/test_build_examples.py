"""The examples of a template in the prompts of a gateway: chosen once, there with passages too, within their budget."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange import Retrieval
from tests.conftest import TINY_MODEL
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import template
from tests.gateway.shots.examples import EXAMPLES, SOURCE

QUESTION = "I forgot my password and cannot sign in."
LOGIN = ["I cannot log in with my password.", "My account is locked.", "The password reset mail never comes."]
MORE = {
    "similar": "shots: {select: similar, count: 3}",
    "balanced": "shots: {select: balanced, count: 6, label: kind}",
    "narrow": "shots: {select: similar, count: 3}\nsections: {examples: {max_tokens: 40}}",
}


@pytest.fixture(scope="module")
def choosing(docs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    folder = tmp_path_factory.mktemp("choosing")
    (folder / "templates").mkdir()
    for id, more in MORE.items():
        (folder / "templates" / f"{id}.md.j2").write_text(SOURCE.format(more=more))
    (folder / "templates" / "kinds.examples.yaml").write_text(EXAMPLES)
    settings: dict[str, Any] = {
        "models": {"small": {"backends": ["first"], "tokenizer": TINY_MODEL, "max_output": 64}},
        "retrieve": {"docs": {"path": docs, "floor": 0.0}},
        "build": {"prompts": folder},
    }
    with running(assembled(folder, tokenize=False, **settings)) as gateway:
        yield gateway


def shown(gateway: Assembled) -> list[str]:
    """The questions of the examples in the last prompt."""
    messages = gateway.chats()[-1].body["messages"]
    answers = [at for at, one in enumerate(messages) if one["role"] == "assistant"]
    return [messages[at - 1]["content"] for at in answers]


def facts(gateway: Assembled, outcome: Any, stage: str) -> dict[str, Any]:
    return next(one["facts"] for one in gateway.row(outcome.call)["detail"]["stages"] if one["stage"] == stage)


def test_the_nearest_stand_in_the_order_of_their_file_and_the_trace_tells_them(choosing: Assembled) -> None:
    outcome = choosing.ask(**template("similar", ticket=QUESTION))
    assert shown(choosing) == LOGIN
    told = facts(choosing, outcome, "examples")
    assert (told["select"], sorted(told["examples"])) == ("similar", [1, 4, 7])
    assert told["scores"] == sorted(told["scores"], reverse=True)


def test_they_are_the_same_beside_passages(choosing: Assembled) -> None:
    outcome = choosing.ask(**template("similar", ticket=QUESTION), retrieve=Retrieval("docs", 2))
    assert outcome.closed.gateway["retrieve"]["passages"] == 2
    assert shown(choosing) == LOGIN


def test_each_label_is_there(choosing: Assembled) -> None:
    choosing.ask(**template("balanced", ticket=QUESTION))
    assert len(shown(choosing)) == 6


def test_within_a_budget_the_least_similar_go(choosing: Assembled) -> None:
    outcome = choosing.ask(**template("narrow", ticket=QUESTION))
    best = facts(choosing, outcome, "examples")["examples"]
    left = [1, 4, 7].index
    cut = outcome.closed.gateway["truncated"]["examples"]
    assert 0 < cut < 3
    assert shown(choosing) == [LOGIN[left(place)] for place in sorted(best[: 3 - cut])]

"""Whole requests through every stage, on a scripted backend: the order of the steps, and what the edge is handed."""

from gateway.errors import OutputTruncated
from gateway.exchange import Closed, Opened
from serving.events import Deltas
from tests.fakes.backend import Script, first, last, piece, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template

DONE = b"data: [DONE]\n\n"


def test_the_steps_are_taken_in_their_order(core: Assembled) -> None:
    outcome = core.ask(**template("answer", question="What does the KV cache do?"))
    steps = ["build", "preflight", "cache", "hold", "retrieve", "attempt", "route", "generate", "check", "keep"]
    assert core.stages(outcome.call) == steps
    assert sorted(outcome.closed.gateway["timings_ms"]) == sorted(steps)
    core.assert_settled(outcome.call)


def test_a_hit_asks_no_backend_and_passes_the_check(core: Assembled) -> None:
    who = caller()
    core.ask("Say it again", who=who)
    sent = len(core.chats())
    hit = core.ask("Say it again", who=who)
    assert core.stages(hit.call) == ["build", "preflight", "cache", "hold", "check"]
    assert len(core.chats()) == sent
    assert (hit.opened.cache, hit.text, hit.streamed) == ("exact", "Hello world", "Hello world")


def test_the_edge_gets_opened_then_deltas_then_closed(core: Assembled) -> None:
    outcome = core.ask()
    opened, *deltas, closed = outcome.answers
    assert (type(opened), {type(one) for one in deltas}, type(closed)) == (Opened, {Deltas}, Closed)
    assert outcome.streamed == outcome.text == "Hello world"


def test_a_refused_step_is_the_last_one(core: Assembled) -> None:
    asked = core.ask("Hi", fields={"min_tokens": 9, "max_tokens": 3}).call
    assert core.stages(asked) == ["build", "preflight"]
    assert core.row(asked)["detail"]["stages"][-1]["error"] == "invalid_value"


def test_several_choices_share_one_prompt_and_one_bill(core: Assembled) -> None:
    chunks = (first(0), first(1), piece({"content": "a"}, 1, index=0), piece({"content": "b"}, 1, index=1))
    ends = (piece({}, 1, "stop", index=0), piece({}, 1, "stop", index=1), last(2), DONE)
    core.fake.plan(Script(chunks + ends))
    outcome = core.ask(fields={"n": 2, "max_tokens": 10})
    assert [c.message["content"] for c in outcome.closed.completion.choices] == ["a", "b"]
    hold = next(s for s in core.row(outcome.call)["detail"]["stages"] if s["stage"] == "hold")
    assert hold["facts"]["tokens"] == 13 + 2 * 10
    assert core.row(outcome.call)["output_tokens"] == 2
    core.assert_settled(outcome.call)


def test_the_answer_tells_its_request_how_it_came_about(core: Assembled) -> None:
    told = core.ask(**template("answer", question="What does the KV cache do?"), explain=True).closed.gateway
    assert (told["model"], told["backend"], told["prompt"]["id"]) == ("small", "first", "answer")
    assert told["tokens"] == {"input": 13, "output": 2, "cached": 0, "source": "exact"}
    assert told["stop"] == {"verdict": "complete", "cause": "stop", "finish_reasons": ["stop"], "remedies": []}
    assert [stage["stage"] for stage in told["explain"]][:3] == ["build", "preflight", "cache"]


def test_the_journal_holds_no_text_of_prompt_or_answer(core: Assembled) -> None:
    core.fake.plan(Script(said("Heliotrope")))
    who = caller()
    asked = [core.ask("Where is the canary?", who=who).call, core.ask("Where is the canary?", who=who).call]
    core.fake.plan(Script(said("Heliotrope", finish="length")))
    cut = core.ask("Where is the canary now?", who=who, on_length="error")
    assert isinstance(cut.error, OutputTruncated)
    for one in (*asked, cut.call):
        row = str(core.row(one))
        assert "canary" not in row
        assert "Heliotrope" not in row


def test_a_call_that_is_never_read_leaves_nothing(core: Assembled) -> None:
    asked = call()
    core.do(core.leaving(asked, 0))
    assert core.do(core.runtime.state.journal.read(asked.request_id)) is None
    assert core.holds() == []

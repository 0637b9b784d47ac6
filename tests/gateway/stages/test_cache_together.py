"""Identical requests that are open at the same time: one generation, whoever leaves and whatever fails."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from gateway.errors import BudgetExceeded, RequestTooLarge
from gateway.exchange import Call, Caller
from gateway.shielded import drained
from gateway.state import Scopes
from gateway.state.limits import parse_limit
from serving.errors import BackendBroken, BackendError
from tests.fakes.backend import HANG, RST, Script, said, words
from tests.gateway.assembled import Assembled, Outcome
from tests.gateway.calls import call, caller
from tests.gateway.conftest import Make
from tests.gateway.waiting import WAIT_S, until

SLOW_S = 0.3  # before an answer begins: long enough for the others to come; who comes later finds it kept
MANY = 20


def calls(question: str, who: Caller, many: int = MANY) -> list[Call]:
    """As many of the same question, streamed and buffered."""
    return [call(question, who=who, stream=number % 2 == 0) for number in range(many)]


def asked(core: Assembled, same: Sequence[Call]) -> list[Outcome]:
    """All at once."""

    async def together() -> list[Outcome]:
        return list(await asyncio.gather(*map(core.reading, same)))

    return core.do(together())


def generations(core: Assembled, question: str) -> int:
    return sum(question in str(seen.body["messages"]) for seen in core.chats())


def verdicts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    given = [outcome.cache["verdict"] for outcome in outcomes]
    return {verdict: given.count(verdict) for verdict in sorted(set(given))}


def test_many_identical_requests_are_answered_once(core: Assembled) -> None:
    question, who = "Why do many ask this?", caller()
    core.fake.plan(Script(said("Because", " they", " can."), delay=SLOW_S))
    same = calls(question, who)
    outcomes = asked(core, same)
    assert generations(core, question) == 1
    assert {outcome.text for outcome in outcomes} == {"Because they can."}
    assert {outcome.streamed for outcome in outcomes} == {"Because they can."}
    assert verdicts(outcomes) == {"exact": MANY - 1, "miss": 1}
    assert any(outcome.cache.get("shared") for outcome in outcomes)
    core.assert_settled(*same)
    rows = [core.row(one) for one in same]
    assert sorted(row["output_tokens"] for row in rows) == [0] * (MANY - 1) + [3]  # who only read along pays nothing
    assert len({outcome.opened.start.id for outcome in outcomes}) == MANY


def test_other_tenants_requests_are_not_identical(core: Assembled) -> None:
    question = "Whose answer is this?"
    core.fake.plan(*[Script(said("Yours."), delay=SLOW_S)] * 2)
    outcomes = asked(core, [call(question, who=caller()) for _ in range(2)])
    assert generations(core, question) == 2
    assert verdicts(outcomes) == {"miss": 2}


def test_who_may_use_other_models_reads_nobody_elses(core: Assembled) -> None:
    """A fallback may answer, which not every key of a tenant may use."""
    question, who = "Which model says this?", caller()
    bound = replace(who, key="bound", scopes=Scopes(models=("small",)))
    core.fake.plan(*[Script(said("This."), delay=SLOW_S)] * 2)
    outcomes = asked(core, [*calls(question, who, 2), *calls(question, bound, 2)])
    assert generations(core, question) == 2
    assert verdicts(outcomes) == {"exact": 2, "miss": 2}
    assert core.ask(question, who=bound).cache["verdict"] == "exact"


@pytest.mark.parametrize("read", [0, 2])
def test_the_leaders_hang_up_does_not_harm_the_others(core: Assembled, read: int) -> None:
    """Whether it leaves before the answer begins or in its midst: they get it whole, and it pays for it."""
    question, who = f"What if the first one leaves after {read}?", caller()
    chunks = said("Nothing", " changes.")
    core.fake.plan(Script((SLOW_S, *chunks[:2], SLOW_S, *chunks[2:])))
    leader, *others = calls(question, who, 6)

    async def leave() -> None:
        async with aclosing(core.runtime.pipeline.run(leader)) as running:
            for _ in range(read):
                await anext(running)
            if not read:
                await anext(running)

    async def run() -> list[Outcome]:
        leading = asyncio.create_task(leave())
        await until(lambda: generations(core, question) > 0)
        following = [asyncio.create_task(core.reading(other)) for other in others]
        if not read:
            await asyncio.sleep(SLOW_S / 3)
            leading.cancel()
        outcomes = list(await asyncio.gather(*following))
        await asyncio.gather(leading, return_exceptions=True)
        return outcomes

    outcomes = core.do(run())
    assert {outcome.text for outcome in outcomes} == {"Nothing changes."}
    assert generations(core, question) == 1
    core.assert_settled(leader, *others)
    assert core.row(leader)["output_tokens"] == 2


def test_when_all_have_left_the_engine_stops(core: Assembled) -> None:
    question, who = "Does anybody still listen?", caller()
    core.fake.plan(Script((*words("No"), HANG)))
    same = calls(question, who, 4)

    async def run() -> None:
        tasks = [asyncio.create_task(core.reading(one)) for one in same]
        await until(lambda: generations(core, question) > 0)
        for task in tasks:
            await asyncio.sleep(SLOW_S / 10)
            task.cancel()
        await asyncio.wait(tasks)
        (seen,) = (seen for seen in core.chats() if question in str(seen.body["messages"]))
        async with asyncio.timeout(WAIT_S):
            await seen.over.wait()
        assert seen.left_early

    core.do(run())
    core.assert_settled(*same)
    assert core.ask(question, who=who).cache["verdict"] == "miss"  # and nobody waits for it


def test_what_fails_before_it_began_is_made_once_more(core: Assembled) -> None:
    question = "What if the backend breaks?"
    core.fake.plan(Script(status=500, delay=SLOW_S), Script(said("Once more."), delay=SLOW_S))
    same = [replace(one, model="free") for one in calls(question, caller(limits=()), 5)]  # it has no fallback
    outcomes = asked(core, same)
    assert generations(core, question) == 2
    assert sum(isinstance(outcome.error, BackendError) for outcome in outcomes) == 1
    assert {outcome.text for outcome in outcomes if not outcome.error} == {"Once more."}


def test_what_breaks_in_its_midst_breaks_for_all(core: Assembled) -> None:
    question, who = "What if it breaks later?", caller()
    core.fake.plan(Script((SLOW_S, *words("Half"), SLOW_S, RST)))
    same = calls(question, who, 5)
    outcomes = asked(core, same)
    assert all(isinstance(outcome.error, BackendBroken) for outcome in outcomes)
    assert generations(core, question) == 1
    core.assert_settled(*same)


def test_a_leader_that_may_not_spend_hands_on(core: Assembled) -> None:
    """Each key its own limits: the first ones are refused, and the others are none the worse."""
    question, rich = "Who pays for this?", caller()
    poor = replace(rich, key="poor", key_limits=(parse_limit("tokens/day=1"),))
    core.fake.plan(Script(said("You do."), delay=SLOW_S))
    outcomes = asked(core, [*calls(question, poor, 3), *calls(question, rich, 5)])
    refused, paid = outcomes[:3], outcomes[3:]
    assert {outcome.text for outcome in paid} == {"You do."}
    assert isinstance(refused[0].error, (BudgetExceeded, RequestTooLarge))
    assert generations(core, question) == 1


def test_a_refresh_and_who_asks_for_variety_read_nobody_elses(core: Assembled) -> None:
    question, who = "What is new?", caller()
    core.fake.plan(*[Script(said("This."), delay=SLOW_S)] * 3)
    outcomes = asked(
        core,
        [
            call(question, who=who),
            call(question, who=who, cache="refresh"),
            call(question, who=who, cache="skip"),
        ],
    )
    assert generations(core, question) == 3
    assert verdicts(outcomes) == {"miss": 3}


def test_who_forbids_similarity_is_given_no_similar_answer(make: Make) -> None:
    """Though it waits with one who allows it."""
    core, who = make(cache={"plain": "semantic", "sample": 0}), caller()
    core.ask("How do I reset my password?", who=who)
    core.do(drained())
    asking = "How can I reset my password?"
    outcomes = asked(core, [call(asking, who=who), call(asking, who=who, semantic=False)])
    assert [outcome.cache["verdict"] for outcome in outcomes] == ["semantic", "miss"]


def test_a_purge_keeps_out_what_is_being_made(core: Assembled) -> None:
    question, who = "What was purged meanwhile?", caller()
    core.fake.plan(Script(said("This."), delay=SLOW_S))

    async def run() -> None:
        making = asyncio.create_task(core.reading(call(question, who=who)))
        await until(lambda: generations(core, question) > 0)
        await core.runtime.state.answers.purge(f"tenant:{who.tenant}")
        assert (await making).text == "This."

    core.do(run())
    assert core.ask(question, who=who).cache["verdict"] == "miss"


def test_who_asks_after_a_purge_does_not_read_along_what_was_begun_before(core: Assembled) -> None:
    """It has its answer made anew, for all who ask after it; those aboard of the old one get that."""
    question, who = "What was begun before the purge?", caller()
    core.fake.plan(Script((*words("Old"), 0.5, *said("")[1:])), Script(said("New"), delay=SLOW_S))

    async def run() -> list[Outcome]:
        old = [asyncio.create_task(core.reading(call(question, who=who))) for _ in range(2)]
        await until(lambda: generations(core, question) > 0)
        await core.runtime.state.answers.purge(f"tenant:{who.tenant}")
        new = [asyncio.create_task(core.reading(call(question, who=who))) for _ in range(5)]
        return [*await asyncio.gather(*old), *await asyncio.gather(*new)]

    outcomes = core.do(run())
    assert [outcome.text for outcome in outcomes] == ["Old"] * 2 + ["New"] * 5
    assert generations(core, question) == 2
    core.do(drained())
    outcomes.append(core.ask(question, who=who))
    assert (outcomes[-1].text, outcomes[-1].cache["verdict"]) == ("New", "exact")
    core.assert_settled(*(outcome.call for outcome in outcomes))


@pytest.mark.parametrize(("leaves", "verdict"), [(False, "exact"), (True, "miss")])
def test_a_flight_that_is_over_before_one_is_aboard_keeps_nobody_waiting(
    core: Assembled, monkeypatch: pytest.MonkeyPatch, leaves: bool, verdict: str
) -> None:
    """The store is slow to say whether there was a purge: meanwhile the answer is made and kept, or given up."""
    question, who, answers = f"What if it is over, {leaves}?", caller(), core.runtime.state.answers
    core.fake.plan(Script(said("This."), delay=SLOW_S), *[Script(said("Mine."))] * leaves)

    async def run() -> Outcome:
        first = asyncio.create_task(core.reading(call(question, who=who)))
        await until(lambda: generations(core, question) > 0)
        purged = answers.purged

        async def slowly(tags: Sequence[str], since: float) -> bool:
            if leaves:
                first.cancel()
            await asyncio.wait([first])
            await drained()
            return await purged(tags, since)

        monkeypatch.setattr(answers, "purged", slowly)
        return await core.reading(call(question, who=who))

    second = core.do(run())
    assert (second.text, second.cache["verdict"]) == ("Mine." if leaves else "This.", verdict)
    assert generations(core, question) == 1 + leaves


def test_who_reads_a_fallbacks_answer_along_is_told_which_model_it_is(core: Assembled) -> None:
    question, who = "Who answers for you?", caller()
    core.fake.plan(Script(status=500))
    core.spare.plan(Script(said("The other."), delay=SLOW_S))
    outcomes = asked(core, calls(question, who, 4))
    assert verdicts(outcomes) == {"miss": 1, "exact": 3}
    for outcome in outcomes:
        assert outcome.opened.start.model == outcome.closed.gateway["model"] == "other"
        assert core.row(outcome.call)["model"] == "other"

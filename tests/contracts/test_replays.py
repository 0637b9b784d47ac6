"""Answers under a client's Idempotency-Key, the same over every store: one request in flight a key, paid once."""

import asyncio
import time
from dataclasses import replace

from gateway.state import REPLAY_S, RUNS_S, Replay, State
from tests.contracts.conftest import Play

NOW = time.time()
CLAIM = Replay("acme", "order-7", bytes(range(32)), "r1", "owner", NOW)
RETRY = replace(CLAIM, request_id="r2", owner="another", at=NOW + 1)
ANSWER = replace(CLAIM, status=200, content_type="text/event-stream", body=b'data: {"x": "\xc3\xa9"}\n\n\x00')


def living(owner: str) -> bool:
    return True


def dead(owner: str) -> bool:
    return False


def test_a_claim_stands_while_its_request_runs(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.replays.begin(CLAIM, living) is None
        assert await state.replays.begin(RETRY, living) == CLAIM
        assert await state.replays.begin(replace(RETRY, digest=b"other"), living) == CLAIM

    play(scenario)


def test_a_finished_answer_is_given_to_whoever_asks_whether_or_not_its_process_lives(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.replays.begin(CLAIM, living)
        await state.replays.finish(ANSWER)
        assert await state.replays.begin(RETRY, living) == ANSWER
        assert await state.replays.begin(RETRY, dead) == ANSWER

    play(scenario)


def test_of_many_at_once_one_is_sent(play: Play) -> None:
    async def scenario(state: State) -> None:
        claims = [replace(CLAIM, request_id=f"r{number}") for number in range(30)]
        found = await asyncio.gather(*(state.replays.begin(claim, living) for claim in claims))
        (winner,) = (claim for claim, other in zip(claims, found, strict=True) if other is None)
        assert {other for other in found if other} == {winner}

    play(scenario)


def test_an_abandoned_key_is_free(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.replays.begin(CLAIM, living)
        await state.replays.abandon(CLAIM)
        assert await state.replays.begin(RETRY, living) is None
        assert await state.replays.begin(CLAIM, living) == RETRY

    play(scenario)


def test_a_dead_owners_claim_is_taken_over_and_it_may_not_return(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.replays.begin(CLAIM, living)
        assert await state.replays.begin(RETRY, CLAIM.owner.__ne__) is None
        for late in (state.replays.finish(ANSWER), state.replays.abandon(CLAIM)):
            await late
        assert await state.replays.begin(CLAIM, living) == RETRY
        await state.replays.finish(replace(RETRY, status=200, body=b"its own"))
        assert await state.replays.begin(CLAIM, living) == replace(RETRY, status=200, body=b"its own")

    play(scenario)


def test_a_claim_on_which_nobody_can_still_work_is_taken_over(play: Play) -> None:
    """Its owner is on a machine that cannot be asked, so is presumed alive: no request runs for an hour."""

    async def scenario(state: State) -> None:
        await state.replays.begin(CLAIM, living)
        almost, after = (replace(RETRY, at=NOW + RUNS_S + seconds) for seconds in (-1, 1))
        assert await state.replays.begin(almost, living) == CLAIM
        assert await state.replays.begin(after, living) is None

    play(scenario)


def test_nobody_finishes_or_abandons_what_was_never_claimed(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.replays.finish(ANSWER)
        await state.replays.abandon(CLAIM)
        assert await state.replays.begin(RETRY, living) is None

    play(scenario)


def test_a_claim_asked_for_again_is_still_ours(play: Play) -> None:
    """The store did not answer the first time, so whether it took effect is unknown."""

    async def scenario(state: State) -> None:
        assert await state.replays.begin(CLAIM, living) is None
        assert await state.replays.begin(CLAIM, living) is None

    play(scenario)


def test_what_is_older_than_a_day_is_replaced(play: Play) -> None:
    async def scenario(state: State) -> None:
        other = replace(CLAIM, key="order-8")
        for claim in (CLAIM, other):
            await state.replays.begin(claim, living)
        await state.replays.finish(ANSWER)
        almost, after = (replace(RETRY, at=NOW + REPLAY_S + seconds) for seconds in (-1, 1))
        assert await state.replays.begin(almost, living) == ANSWER
        assert await state.replays.begin(after, living) is None
        assert await state.replays.begin(replace(after, key="order-8"), living) is None

    play(scenario)


def test_tenants_and_keys_are_apart(play: Play) -> None:
    async def scenario(state: State) -> None:
        places = [("acme", "a"), ("acme", "b"), ("other", "a"), ("a", "cme:a"), ("ac", "me:a"), ("acme", "ä b{}")]
        for tenant, key in places:
            assert await state.replays.begin(replace(CLAIM, tenant=tenant, key=key), living) is None, (tenant, key)

    play(scenario)

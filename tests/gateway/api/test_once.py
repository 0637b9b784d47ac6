"""What is kept under an `Idempotency-Key` when things end badly: `Once` and `Recorder` alone, without a socket."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from starlette.types import Message

from gateway.api.chat import ChatWriter
from gateway.api.endpoint import openai
from gateway.api.idempotency import Once
from gateway.api.reply import Reply
from gateway.exchange import Answer, Call
from gateway.state import Replay, State, StateUnavailable
from gateway.state.open import open_state
from gateway.state.owners import alive, owner
from serving.errors import BackendBroken
from tests.fakes.backend import HANG, PROMPT_TOKENS, RST, Script, words
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call
from tests.gateway.waiting import until


def once(state: State, asked: Call, answers: AsyncGenerator[Answer, None]) -> tuple[Once, Replay]:
    claim = Replay(asked.caller.tenant, "a", b"digest", asked.request_id, owner(), asked.at)
    reply = Reply(asked, answers, ChatWriter(asked.request_id, False), state.clock.now)
    return Once(reply, claim, openai, state), claim


async def unasked() -> Message:
    raise AssertionError("whether the client is there is not asked")


async def unsent(message: Message) -> None:
    raise AssertionError("nothing is to be sent")


def test_a_request_that_is_cut_as_the_gateway_stops_gives_its_key_free(core: Assembled) -> None:
    core.fake.plan(Script((HANG,)))
    asked, state, sent = call(), core.runtime.state, len(core.chats())
    first, claim = once(state, asked, core.runtime.pipeline.run(asked))

    async def stop() -> list[Replay | None]:
        task = asyncio.ensure_future(first({"state": {}}, unasked, unsent))
        await until(lambda: len(core.chats()) > sent)
        next_one = replace(claim, request_id="req_next")
        before = await state.replays.begin(next_one, alive)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [before, await state.replays.begin(next_one, alive)]

    assert core.do(stop()) == [claim, None]
    assert core.row(asked)["input_tokens"] == PROMPT_TOKENS


def test_a_failure_after_the_answer_began_is_kept_though_its_row_cannot_be_read(core: Assembled) -> None:
    core.fake.plan(Script((*words("Hel"), RST)))
    asked, state = call(), core.runtime.state

    async def broken() -> Replay | None:
        elsewhere = await open_state("sqlite://:memory:")
        first, claim = once(replace(state, journal=elsewhere.journal), asked, core.runtime.pipeline.run(asked))
        with pytest.raises(BackendBroken):
            await first({"state": {}}, unasked, unsent)
        await elsewhere.close()
        return await state.replays.begin(replace(claim, request_id="req_next"), alive)

    kept = core.do(broken())
    assert kept is not None
    assert (kept.status, json.loads(kept.body)["error"]["code"]) == (502, "backend_unavailable")


def test_an_answer_that_is_kept_stays_so_whatever_becomes_of_its_last_byte(core: Assembled) -> None:
    asked, state = call(), core.runtime.state
    first, claim = once(state, asked, core.runtime.pipeline.run(asked))

    async def broken(message: Message) -> None:
        if not message.get("more_body", True):
            raise RuntimeError("the server has a bug")

    async def scenario() -> Replay | None:
        with pytest.raises(RuntimeError):
            await first({"state": {}}, unasked, broken)
        return await state.replays.begin(replace(claim, request_id="req_next"), alive)

    kept = core.do(scenario())
    assert kept is not None
    assert kept.status == 200


def test_a_claim_that_the_state_cannot_take_starts_nothing(core: Assembled) -> None:
    asked, sent = call(), len(core.chats())

    async def away() -> None:
        state = await open_state("sqlite://:memory:")
        await state.close()
        await once(state, asked, core.runtime.pipeline.run(asked))[0]({"state": {}}, unasked, unsent)

    with pytest.raises(StateUnavailable):
        core.do(away())
    assert len(core.chats()) == sent
